//! Makes the runs, in turns.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::Context as _;

use super::bridges::{BRIDGES, Bridge, DIRECT};
use super::plan::{Load, Place, Route, Task};
use crate::limits::COMPARE_TIMEOUT;
use crate::load::{Address, Length, Progress, Report, Target, Work, run};
use crate::procfs::Watch;
use crate::program::Program;

/// The name of the echo server's processes, whose time is not the bridge's.
const ECHO_NAME: &str = "crossway-echo";

/// After this number of failures at a load, a bridge is not tried again: each try takes a timeout.
const TRIES: usize = 2;

/// The amount of measuring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
}

/// All runs of one bridge at one load.
pub(crate) struct Runs {
    pub(crate) route: Route,
    pub(crate) load: Load,
    pub(crate) bridge: &'static Bridge,
    pub(crate) runs: Vec<Result<Report, String>>,
}

impl Runs {
    fn failures(&self) -> usize {
        self.runs.iter().filter(|run| !run.as_ref().is_ok_and(Report::is_clean)).count()
    }
}

/// Measures the bridges for which `wanted` is true.
pub(crate) fn measure(
    place: &Place,
    routes: &[Route],
    wanted: impl Fn(&Bridge) -> bool,
    effort: Effort,
) -> anyhow::Result<Vec<Runs>> {
    let mut found = Vec::new();
    for &route in routes {
        let mut able = Vec::new();
        for bridge in BRIDGES.iter().filter(|bridge| wanted(bridge)) {
            let task = Task { place, route, port: 0, server: "" };
            if (bridge.plan)(task)?.is_some() {
                able.push(bridge);
            }
        }
        for &load in route.loads() {
            found.extend(measure_load(place, route, load, &able, effort));
        }
    }
    Ok(found)
}

fn measure_load(
    place: &Place,
    route: Route,
    load: Load,
    bridges: &[&'static Bridge],
    effort: Effort,
) -> Vec<Runs> {
    let what = format!("{}, {}", route.title(), load.title());
    let bar = Progress::new(true, "runs", (bridges.len() * effort.rounds) as u64);
    let mut found: Vec<Runs> =
        bridges.iter().map(|bridge| Runs { route, load, bridge, runs: Vec::new() }).collect();
    let mut rigs = BTreeMap::new();
    let mut step = 0;
    // In turns, so that other load on the machine affects all bridges alike.
    for _ in 0..effort.rounds {
        for runs in &mut found {
            bar.say(format!("{what}, {}", runs.bridge.name));
            bar.at(step);
            step += 1;
            if runs.failures() < TRIES {
                let result = once(&mut rigs, place, runs, effort).map_err(|error| format!("{error:#}"));
                if !result.as_ref().is_ok_and(Report::is_clean) {
                    // A fault must not spoil the next run.
                    rigs.remove(runs.bridge.name);
                }
                runs.runs.push(result);
            }
        }
    }
    found
}

/// The running programs of a bridge on a route; the bridge is ended before its server.
struct Rig {
    work: Work,
    /// `None` where each session launches its own bridge.
    _bridge: Option<Program>,
    _server: Option<Program>,
}

fn once(
    rigs: &mut BTreeMap<&'static str, Rig>,
    place: &Place,
    runs: &Runs,
    effort: Effort,
) -> anyhow::Result<Report> {
    // Programs are kept from one round to the next, as bridges run for long.
    let rig = match rigs.entry(runs.bridge.name) {
        Entry::Occupied(rig) => rig.into_mut(),
        Entry::Vacant(free) => free.insert(start(place, runs.route, runs.bridge)?),
    };
    let (sessions, concurrency, payload) = runs.load.shape();
    let length = Length::Time(effort.duration);
    let work = rig.work.clone();
    Ok(run(&Work { sessions, concurrency, payload, length, warmup: effort.warmup, ..work })?)
}

fn start(place: &Place, route: Route, bridge: &Bridge) -> anyhow::Result<Rig> {
    let is_direct = bridge.name == DIRECT;
    let (server, path) = match route {
        _ if is_direct => (None, ""),
        Route::SseToHttp => (Some(Program::start(&place.echo, &["http-sse".into()], &["/sse"])?), "/sse"),
        Route::HttpToStdio => {
            (Some(Program::start(&place.echo, &["streamable-http".into()], &["/mcp"])?), "/mcp")
        }
        _ => (None, ""),
    };
    let url = server.as_ref().map_or("", |server| server.url(path));
    let port = free_port()?;
    let plan = (bridge.plan)(Task { place, route, port, server: url })?.context("it has no such face")?;
    let exclude_names = if is_direct { Vec::new() } else { vec![ECHO_NAME.to_owned()] };
    let mut watch = Watch { pids: Vec::new(), exclude_names, exclude_pids: Vec::new() };
    let mut bridge = None;
    let target = if route == Route::HttpToStdio {
        // The load generator launches a bridge for each session, and watches those.
        let words = std::iter::once(plan.program.as_os_str()).chain(plan.arguments.iter().map(AsRef::as_ref));
        Target::Stdio(words.map(|word| word.to_string_lossy().into_owned()).collect())
    } else {
        let program = Program::start_at(&plan.program, &plan.arguments, port)?;
        watch.pids.push(program.pid());
        bridge = Some(program);
        let address = Address::parse(&format!("http://127.0.0.1:{port}{}", plan.path))?;
        match route {
            Route::StdioToSse => Target::HttpSse(address),
            Route::StdioToOpenApi => Target::OpenApi(address),
            _ => Target::StreamableHttp(address),
        }
    };
    let work = Work { watch, tool: plan.tool.to_owned(), timeout: COMPARE_TIMEOUT, ..Work::new(target) };
    Ok(Rig { work, _bridge: bridge, _server: server })
}

/// A port that was free a moment ago: not every bridge can choose one itself.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

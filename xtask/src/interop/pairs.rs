//! The pairs: a server on a transport, Crossway, a downstream transport, and a client in one of its modes.

use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Lab;
use super::clients::{CLIENTS, Client, OLDER};
use super::crossway::Serving;
use super::process::run_to_end;
use super::report::Outcome;
use super::rules::{self, Rule};
use super::servers::{Fixture, Server, Transport};

/// How long a client may take for everything. The scripts limit each feature to less.
const CLIENT_LIMIT: Duration = Duration::from_secs(150);

/// Where clients of older revisions are tried: a server, its transport, and the client's.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) fixture: Fixture,
    pub(super) upstream: Transport,
    pub(super) downstream: Transport,
}

/// Each server on each of its transports, with one transport of the client: a revision changes messages only, and the newest revisions try
/// the other pairs of transports. Where everything is translated, one transport of the server is enough.
pub(super) const FOR_OLDER: [Place; 11] = [
    place(Fixture::Everything, Transport::Stdio, Transport::StreamableHttp),
    place(Fixture::Everything, Transport::HttpSse, Transport::Stdio),
    place(Fixture::Everything, Transport::StreamableHttp, Transport::HttpSse),
    place(Fixture::Time, Transport::Stdio, Transport::Stdio),
    place(Fixture::Git, Transport::Stdio, Transport::HttpSse),
    place(Fixture::Memory, Transport::Stdio, Transport::StreamableHttp),
    place(Fixture::Filesystem, Transport::Stdio, Transport::Stdio),
    place(Fixture::Demo, Transport::Stdio, Transport::StreamableHttp),
    place(Fixture::Demo, Transport::HttpSse, Transport::Stdio),
    place(Fixture::Demo, Transport::StreamableHttp, Transport::StreamableHttp),
    place(Fixture::ModernDemo, Transport::StreamableHttp, Transport::StreamableHttp),
];

const fn place(fixture: Fixture, upstream: Transport, downstream: Transport) -> Place {
    Place { fixture, upstream, downstream }
}

/// One client on one pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) fixture: Fixture,
    pub(super) upstream: Transport,
    pub(super) downstream: Transport,
    pub(super) client: &'static Client,
    /// Without Crossway: the upstream's transport is the client's.
    pub(super) direct: bool,
}

/// The result of a feature, and the client's comment.
#[derive(Debug, Clone)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) went: Went,
    pub(super) detail: String,
}

/// The result of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    Worked,
    Failed,
    /// The server does not declare the capability; the client has checked that.
    Undeclared,
    /// Nothing declares the feature, or the server does but never uses it; the client has seen no use of it.
    Unused,
    /// The specification makes the feature impossible here.
    Impossible(&'static Rule),
}

impl Feature {
    pub(super) fn failure(name: &str, detail: String) -> Self {
        Self { name: name.to_owned(), went: Went::Failed, detail }
    }

    pub(super) fn failed(&self) -> bool {
        self.went == Went::Failed
    }

    pub(super) fn worked(&self) -> bool {
        self.went == Went::Worked
    }
}

impl Run {
    pub(super) fn name(&self) -> String {
        let (fixture, client) = (self.fixture.name(), self.client.name);
        if self.direct {
            format!("direct/{fixture}/{}/{client}", self.upstream.name())
        } else {
            format!("pairs/{fixture}/{}/{}/{client}", self.upstream.name(), self.downstream.name())
        }
    }
}

/// The names of all runs.
pub(super) fn names(lab: &Lab) -> Vec<String> {
    Fixture::ALL.into_iter().flat_map(|fixture| runs(lab, fixture)).map(|run| run.name()).collect()
}

fn runs(lab: &Lab, fixture: Fixture) -> Vec<Run> {
    let fits = |client: &&Client| match fixture {
        // This server is there for the modern era; server-everything has all that the legacy era needs.
        Fixture::Py2 => client.is_modern(),
        // Modern clients need nothing translated.
        Fixture::ModernDemo => !client.is_modern(),
        _ => true,
    };
    let mut runs = Vec::new();
    for &upstream in fixture.transports() {
        for client in CLIENTS.iter().filter(fits) {
            for &downstream in client.downstreams(upstream) {
                runs.push(Run { fixture, upstream, downstream, client, direct: false });
            }
            if lab.options.direct
                && client.speaks(upstream)
                && !matches!(fixture, Fixture::Demo | Fixture::ModernDemo)
            {
                runs.push(Run { fixture, upstream, downstream: upstream, client, direct: true });
            }
        }
        for place in FOR_OLDER.iter().filter(|place| place.fixture == fixture && place.upstream == upstream) {
            let run = |client: &'static Client| Run {
                fixture,
                upstream,
                downstream: client.on(place.downstream),
                client,
                direct: false,
            };
            runs.extend(OLDER.iter().map(run));
        }
    }
    runs
}

/// Runs every pair that is asked for.
pub(super) fn run(lab: &Lab, outcome: &mut Outcome) -> Result<()> {
    for fixture in Fixture::ALL {
        let wanted: Vec<Run> = runs(lab, fixture).into_iter().filter(|run| lab.wanted(&run.name())).collect();
        if wanted.is_empty() {
            continue;
        }
        let server = Server::start(lab, fixture)?;
        for upstream in Transport::ALL {
            let wanted: Vec<Run> = wanted.iter().copied().filter(|run| run.upstream == upstream).collect();
            if wanted.is_empty() {
                continue;
            }
            let bridge = if wanted.iter().any(|run| !run.direct) {
                server.bridge(lab, upstream).map(Some)
            } else {
                Ok(None)
            };
            match bridge {
                Ok(bridge) => outcome.pairs.extend(run_all(lab, &server, bridge.as_ref(), wanted)?),
                Err(error) => outcome.pairs.extend(wanted.into_iter().map(|run| {
                    let failure = Feature::failure("bridge", format!("{error:#}"));
                    eprintln!("{:<60} {}", run.name(), describe(std::slice::from_ref(&failure)));
                    (run, vec![failure])
                })),
            }
        }
    }
    Ok(())
}

/// Runs clients on one bridge, several at once; returns their results in the order of `wanted`.
fn run_all(
    lab: &Lab,
    server: &Server,
    bridge: Option<&Serving>,
    wanted: Vec<Run>,
) -> Result<Vec<(Run, Vec<Feature>)>> {
    // Log messages on a pipe that several clients share belong to none of them, and these clients ask for them.
    let is_shared_pipe =
        |run: &Run| run.upstream == Transport::Stdio && run.fixture.logs_in_calls(run.upstream);
    let jobs = if wanted.iter().any(is_shared_pipe) { 1 } else { lab.options.jobs.max(1) };
    at_once(jobs, wanted, |run| {
        let features = run_one(lab, server, bridge, &run).with_context(|| run.name())?;
        eprintln!("{:<60} {}", run.name(), describe(&features));
        Ok((run, features))
    })
}

/// Works through a list, several items at once; returns the results in the order of the list.
pub(super) fn at_once<T: Send, R: Send>(
    jobs: usize,
    list: Vec<T>,
    work: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let queue = Mutex::new(list.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let worker = || -> Result<()> {
            loop {
                let next = queue.lock().ok().and_then(|mut queue| queue.next());
                let Some((position, item)) = next else { return Ok(()) };
                let result = work(item)?;
                if let Ok(mut done) = done.lock() {
                    done.push((position, result));
                }
            }
        };
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| anyhow::bail!("a worker panicked")))
    })?;
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(position, _)| *position);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

fn run_one(lab: &Lab, server: &Server, bridge: Option<&Serving>, run: &Run) -> Result<Vec<Feature>> {
    let target = match (run.direct, run.downstream, bridge) {
        (true, ..) | (_, _, None) => server.target(run.upstream),
        (_, Transport::Stdio, Some(bridge)) => {
            lab.crossway.stdio_command(server.url(run.upstream).unwrap_or(&bridge.mcp))
        }
        (_, Transport::HttpSse, Some(bridge)) => bridge.sse.clone().into_iter().collect(),
        (_, Transport::StreamableHttp, Some(bridge)) => vec![bridge.mcp.clone()],
    };
    let visit = Visit {
        client: run.client,
        fixtures: &lab.scripts.join("fixtures.json"),
        fixture: run.fixture.features(),
        era: run.fixture.era(run.upstream),
        dir: &server.dir,
        transport: run.downstream,
        target,
    };
    visit.run(lab)
}

/// A client that tries everything at one server.
pub(super) struct Visit<'a> {
    pub(super) client: &'static Client,
    /// The file that lists what to try.
    pub(super) fixtures: &'a Path,
    /// The name of the server's fixture in that file.
    pub(super) fixture: &'a str,
    pub(super) era: &'a str,
    pub(super) dir: &'a Path,
    pub(super) transport: Transport,
    pub(super) target: Vec<String>,
}

impl Visit<'_> {
    pub(super) fn run(self, lab: &Lab) -> Result<Vec<Feature>> {
        let mut command = self.client.command(lab, self.fixtures);
        command.args(["--fixture", self.fixture, "--server-era", self.era, "--dir"]).arg(self.dir);
        self.client.reach(lab, &mut command, self.transport, self.target);
        let finished = run_to_end(&mut command, CLIENT_LIMIT)?;
        let mut features: Vec<Feature> = finished.stdout.lines().filter_map(feature).collect();
        let failed = features.iter().any(Feature::failed);
        let complete = features.last().is_some_and(|feature| feature.name == "close");
        if !failed && (!complete || finished.code != Some(0)) {
            let last = finished.stderr.lines().last().unwrap_or_default();
            let detail = match finished.code {
                Some(code) => format!("the client exited early, with code {code}: {last}"),
                None => format!("the client was ended: {last}"),
            };
            features.push(Feature::failure("the whole", detail));
        }
        Ok(features)
    }
}

fn feature(line: &str) -> Option<Feature> {
    let value: Value = serde_json::from_str(line).ok()?;
    let name = value.get("feature")?.as_str()?.to_owned();
    let mut detail = value.get("detail")?.as_str()?.replace('\n', " ");
    let absent = value.get("absent").and_then(Value::as_str);
    let went = match (value.get("ok")?.as_bool(), absent) {
        (Some(true), None) => Went::Worked,
        (None, Some("undeclared")) => Went::Undeclared,
        (None, Some("unused")) => Went::Unused,
        (None, Some("impossible")) => match rules::find(&detail) {
            Some(rule) => Went::Impossible(rule),
            None => {
                detail = format!("no rule is known as {detail}");
                Went::Failed
            }
        },
        _ => Went::Failed,
    };
    Some(Feature { name, went, detail })
}

/// `21 ok`, or the failures.
pub(super) fn describe(features: &[Feature]) -> String {
    let count = features.iter().filter(|feature| feature.worked()).count();
    let failed: Vec<&str> =
        features.iter().filter(|feature| feature.failed()).map(|feature| feature.name.as_str()).collect();
    if failed.is_empty() {
        format!("{count} ok")
    } else {
        format!("{count} ok, **failed: {}**", failed.join(", "))
    }
}

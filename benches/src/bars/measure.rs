//! Makes the runs, in turns.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::rigs::{Programs, Rig, Way};
use super::rows::{
    HUGE_CALLS, IDLE_SESSIONS, Load, Measure, QUICK_IDLE_SESSIONS, Row, SET_UPS_AT_A_TIME, TURNS_AT_ONCE,
};
use super::serving::{Cost, Costed, measure_cost};
use crate::descriptors;
use crate::limits::SPARE_DESCRIPTORS;
use crate::load::{
    Errand, Idle, IdleReport, Length, Progress, Report, SetupReport, Work, hold_sessions, repeat,
    repeat_setups, requests_of, run,
};

/// The amount of measuring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// The number of rounds; each way is measured once in each, and medians are taken.
    pub(crate) rounds: usize,
    /// The length of a run of calls.
    pub(crate) duration: Duration,
    /// The warm-up before each run.
    pub(crate) warmup: Duration,
    /// Whether there are fewer idle sessions.
    pub(crate) quick: bool,
}

/// The errand of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// Open WebUI's turns.
    Turns,
    /// Open WebUI's turns, each user at their own pace.
    PacedTurns,
    /// Lists of tools.
    Lists,
}

/// A run's report, or why it failed.
pub(crate) type Found<T> = Result<T, String>;

/// The results of all runs.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Runs of calls.
    pub(crate) calls: BTreeMap<(Load, Way), Vec<Found<Report>>>,
    /// Idle sessions, by whether they have a stream; limited by descriptors.
    pub(crate) idle: BTreeMap<bool, Found<IdleReport>>,
    /// Idle sessions over merged servers.
    pub(crate) idle_merged: Option<Found<IdleReport>>,
    /// Turns and lists.
    pub(crate) errands: BTreeMap<(Doing, Way), Vec<Found<SetupReport>>>,
    /// Other costs of `crossway serve`.
    pub(crate) serving: BTreeMap<Cost, Found<Costed>>,
    /// Set-ups of sessions.
    pub(crate) set_ups: BTreeMap<Way, Vec<Found<SetupReport>>>,
}

/// Makes all runs that the rows need.
pub(crate) fn measure(programs: &Programs, rows: &[Row], effort: Effort, shown: bool) -> Results {
    let able = |way: Way| programs.crossway.is_some() || !way.is_crossway();
    let mut ways: BTreeMap<Load, BTreeSet<Way>> = BTreeMap::new();
    for (load, way) in rows.iter().flat_map(Row::runs) {
        if able(way) {
            ways.entry(load).or_default().insert(way);
        }
    }
    let mut results = Results::default();
    let mut rigs = Rigs { programs, running: BTreeMap::new() };
    let set_ups = rows.iter().any(|row| matches!(row.measure, Measure::SetUps { .. }));
    let total = ways.values().map(BTreeSet::len).sum::<usize>() + if set_ups { 2 } else { 0 };
    let bar = Progress::new(shown, "runs", (total * effort.rounds) as u64);
    let mut step = 0;
    let mut next = |what: String| {
        bar.say(what);
        bar.at(step);
        step += 1;
    };
    for (load, ways) in ways {
        // New programs: leftovers of another load in a process are not measured.
        rigs.running.clear();
        // In turns, so that other load on the machine affects all ways alike.
        for _ in 0..effort.rounds {
            for way in &ways {
                next(format!("{load:?}, {}", way.name()));
                results.calls.entry((load, *way)).or_default().push(rigs.measure_calls(load, *way, effort));
            }
        }
    }
    rigs.running.clear();
    if set_ups {
        for _ in 0..effort.rounds {
            for way in [Way::HttpToHttp, Way::Direct].into_iter().filter(|way| able(*way)) {
                next(format!("set-ups, {}", way.name()));
                results.set_ups.entry(way).or_default().push(rigs.measure_set_ups(way, effort));
            }
        }
    }
    for row in rows {
        let (doing, ways) = match row.measure {
            Measure::Turns { .. } => (Doing::Turns, vec![Way::MergedHttp]),
            Measure::PacedTurns { .. } => (Doing::PacedTurns, vec![Way::MergedFew, Way::Direct]),
            Measure::Lists { way, other, .. } => (Doing::Lists, vec![way, other]),
            _ => continue,
        };
        for _ in 0..effort.rounds {
            for way in ways.iter().copied().filter(|way| able(*way)) {
                bar.say(format!("{}, {}", row.name, way.name()));
                let found = rigs.measure_errand(doing, way, effort);
                results.errands.entry((doing, way)).or_default().push(found);
            }
        }
        // New programs: a row must not measure leftovers of another.
        rigs.running.clear();
    }
    for row in rows {
        if let (Measure::Serving { cost, .. }, Some(crossway)) = (row.measure, &programs.crossway) {
            bar.say(row.work.to_owned());
            let found = measure_cost(cost, programs, crossway, effort).map_err(|error| format!("{error:#}"));
            results.serving.insert(cost, found);
        }
    }
    for row in rows {
        if let (Measure::IdleMerged { .. }, true) = (row.measure, able(Way::MergedHttp)) {
            bar.say(row.work.to_owned());
            results.idle_merged = Some(measure_idle(programs, Way::MergedHttp, false, effort));
        }
        if let (Measure::Idle { with_stream, .. }, true) = (row.measure, able(Way::HttpToHttp)) {
            bar.say(row.work.to_owned());
            results.idle.insert(with_stream, measure_idle(programs, Way::HttpToHttp, with_stream, effort));
        }
    }
    results
}

/// The running programs of each way. They are kept from one round to the next, as bridges run for long: in a new process, an allocator may
/// release the memory of each long message and fetch it again, which an old process avoids, and which costs more than everything else.
struct Rigs<'a> {
    programs: &'a Programs,
    running: BTreeMap<Way, Rig>,
}

impl Rigs<'_> {
    fn work(&mut self, way: Way) -> anyhow::Result<Work> {
        let rig = match self.running.entry(way) {
            Entry::Occupied(rig) => rig.into_mut(),
            Entry::Vacant(free) => free.insert(self.programs.start(way)?),
        };
        Ok(rig.work.clone())
    }

    fn measure_calls(&mut self, load: Load, way: Way, effort: Effort) -> Found<Report> {
        let (sessions, concurrency, payload) = load.shape();
        let (length, warmup) = match load {
            Load::Huge => (Length::Calls(HUGE_CALLS), Duration::ZERO),
            _ => (Length::Time(effort.duration), effort.warmup),
        };
        let found = self
            .work(way)
            .and_then(|work| Ok(run(&Work { sessions, concurrency, payload, length, warmup, ..work })?));
        self.settle(way, found, |report| report.counts.is_clean())
    }

    fn measure_set_ups(&mut self, way: Way, effort: Effort) -> Found<SetupReport> {
        let found = self.work(way).and_then(|work| {
            let work = Work { sessions: SET_UPS_AT_A_TIME, ..work };
            Ok(repeat_setups(&work, effort.duration, false)?)
        });
        self.settle(way, found, |report| report.counts.is_clean())
    }

    fn measure_errand(&mut self, doing: Doing, way: Way, effort: Effort) -> Found<SetupReport> {
        let found = self.work(way).and_then(|work| {
            let (errand, sessions) = match doing {
                Doing::Turns => (Errand::Turn, TURNS_AT_ONCE),
                Doing::PacedTurns => (Errand::PacedTurn, TURNS_AT_ONCE),
                Doing::Lists => (Errand::List, 1),
            };
            // Warm up: connections are opened, and lists become known.
            repeat(&work, WARM_UP, false, errand)?;
            let server = self.running.get(&way).context("it is not running")?.server()?;
            let before = requests_of(&server)?;
            // All sessions begin at once, once.
            let time = if doing == Doing::Turns { Duration::ZERO } else { effort.duration };
            let mut report = repeat(&Work { sessions, ..work }, time, false, errand)?;
            let asked = requests_of(&server)?.saturating_sub(before + REQUESTS_TO_COUNT);
            report.server_requests = Some(asked as f64 / report.sessions.max(1) as f64);
            Ok(report)
        });
        self.settle(way, found, |report| report.counts.is_clean())
    }

    /// After a fault the way's programs are replaced, so that it does not spoil the next run.
    fn settle<T>(&mut self, way: Way, found: anyhow::Result<T>, clean: impl Fn(&T) -> bool) -> Found<T> {
        if !found.as_ref().is_ok_and(clean) {
            self.running.remove(&way);
        }
        found.map_err(|error| format!("{error:#}"))
    }
}

/// The warm-up before errands are measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// The number of requests that counting them costs.
const REQUESTS_TO_COUNT: u64 = 2;

fn measure_idle(programs: &Programs, way: Way, with_stream: bool, effort: Effort) -> Found<IdleReport> {
    let wanted = if effort.quick { QUICK_IDLE_SESSIONS } else { IDLE_SESSIONS };
    let mut sessions = wanted;
    if with_stream {
        // Crossway inherits the limit and has two streams per session: one down, one up.
        let limit = descriptors::raise_limit(2 * wanted as u64 + 4 * SPARE_DESCRIPTORS);
        sessions =
            sessions.min(usize::try_from(limit.saturating_sub(4 * SPARE_DESCRIPTORS) / 2).unwrap_or(wanted));
    }
    let measured = || -> anyhow::Result<IdleReport> {
        let rig = programs.start(way)?;
        if way == Way::MergedHttp {
            // The lists are known from here on.
            repeat(&rig.work, WARM_UP, false, Errand::Turn)?;
        }
        let work = Work { sessions, with_get_stream: with_stream, ..rig.work.clone() };
        let mut report = hold_sessions(&work, Idle { hold: Duration::from_secs(2) })?;
        report.wanted = wanted;
        Ok(report)
    };
    measured().map_err(|error| format!("{error:#}"))
}

impl Results {
    /// All runs, for the record.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        let calls =
            self.calls.iter().flat_map(|((_, way), runs)| runs.iter().map(|run| record("calls", *way, run)));
        let set_ups =
            self.set_ups.iter().flat_map(|(way, runs)| runs.iter().map(|run| record("set-ups", *way, run)));
        let idle = self.idle.values().map(|run| record("idle", Way::HttpToHttp, run));
        let merged = self.idle_merged.iter().map(|run| record("idle", Way::MergedHttp, run));
        let errands = self.errands.iter().flat_map(|((doing, way), runs)| {
            let kind = match doing {
                Doing::Turns => "turns",
                Doing::PacedTurns => "turns-paced",
                Doing::Lists => "lists",
            };
            runs.iter().map(move |run| record(kind, *way, run))
        });
        let serving = self.serving.iter().map(|(cost, run)| match run {
            Ok(costed) => json!({ "kind": cost, "report": costed }),
            Err(error) => json!({ "kind": cost, "error": error }),
        });
        calls.chain(set_ups).chain(idle).chain(merged).chain(errands).chain(serving).collect()
    }
}

fn record(kind: &str, way: Way, run: &Found<impl Serialize>) -> serde_json::Value {
    match run {
        Ok(report) => json!({ "kind": kind, "way": way, "report": report }),
        Err(error) => json!({ "kind": kind, "way": way, "error": error }),
    }
}

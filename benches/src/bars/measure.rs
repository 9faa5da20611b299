//! The runs, in turns.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::rigs::{Programs, Way};
use super::rows::{HUGE_CALLS, IDLE_SESSIONS, Load, Measure, QUICK_IDLE_SESSIONS, Row, SET_UPS_AT_A_TIME};
use crate::descriptors;
use crate::limits::SPARE_DESCRIPTORS;
use crate::load::{
    Idle, IdleReport, Length, Progress, Report, SetupReport, Work, hold_sessions, repeat_setups, run,
};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// How often each way is measured; medians are taken.
    pub(crate) rounds: usize,
    /// How long each run of calls is.
    pub(crate) duration: Duration,
    /// How long calls are made before that.
    pub(crate) warmup: Duration,
    /// Fewer idle sessions.
    pub(crate) quick: bool,
}

/// What one run found, or why there was none.
pub(crate) type Found<T> = Result<T, String>;

/// All runs of a table.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Runs of calls.
    pub(crate) calls: BTreeMap<(Load, Way), Vec<Found<Report>>>,
    /// Idle sessions without and with a stream, and the sessions that descriptors allowed.
    pub(crate) idle: BTreeMap<bool, Found<IdleReport>>,
    /// Set-ups.
    pub(crate) set_ups: BTreeMap<Way, Vec<Found<SetupReport>>>,
}

/// One run in the JSON record.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Record<'a> {
    /// It was made.
    Run { way: Way, report: &'a Report },
    /// It was not.
    Failed { way: Way, error: &'a str },
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
        // In turns, so that what else the machine does falls on all alike.
        for _ in 0..effort.rounds {
            for way in &ways {
                next(format!("{load:?}, {}", way.name()));
                results
                    .calls
                    .entry((load, *way))
                    .or_default()
                    .push(measure_calls(programs, load, *way, effort));
            }
        }
    }
    if set_ups {
        for _ in 0..effort.rounds {
            for way in [Way::HttpToHttp, Way::Direct].into_iter().filter(|way| able(*way)) {
                next(format!("set-ups, {}", way.name()));
                results.set_ups.entry(way).or_default().push(measure_set_ups(programs, way, effort));
            }
        }
    }
    for row in rows {
        if let (Measure::Idle { with_stream, .. }, true) = (row.measure, able(Way::HttpToHttp)) {
            bar.say(row.work.to_owned());
            results.idle.insert(with_stream, measure_idle(programs, with_stream, effort));
        }
    }
    results
}

fn measure_calls(programs: &Programs, load: Load, way: Way, effort: Effort) -> Found<Report> {
    let (sessions, concurrency, payload) = load.shape();
    let measured = || -> anyhow::Result<Report> {
        let rig = programs.start(way)?;
        let mut work = Work { sessions, concurrency, payload, warmup: effort.warmup, ..rig.work.clone() };
        work.length = Length::Time(effort.duration);
        if load == Load::Huge {
            work.length = Length::Calls(HUGE_CALLS);
            work.warmup = Duration::ZERO;
        }
        Ok(run(&work)?)
    };
    measured().map_err(|error| format!("{error:#}"))
}

fn measure_set_ups(programs: &Programs, way: Way, effort: Effort) -> Found<SetupReport> {
    let measured = || -> anyhow::Result<SetupReport> {
        let rig = programs.start(way)?;
        let work = Work { sessions: SET_UPS_AT_A_TIME, ..rig.work.clone() };
        Ok(repeat_setups(&work, effort.duration, false)?)
    };
    measured().map_err(|error| format!("{error:#}"))
}

fn measure_idle(programs: &Programs, with_stream: bool, effort: Effort) -> Found<IdleReport> {
    let wanted = if effort.quick { QUICK_IDLE_SESSIONS } else { IDLE_SESSIONS };
    let mut sessions = wanted;
    if with_stream {
        // Crossway inherits the limit and has two streams per session: one down, one up.
        let limit = descriptors::raise_limit(2 * wanted as u64 + 4 * SPARE_DESCRIPTORS);
        sessions =
            sessions.min(usize::try_from(limit.saturating_sub(4 * SPARE_DESCRIPTORS) / 2).unwrap_or(wanted));
    }
    let measured = || -> anyhow::Result<IdleReport> {
        let rig = programs.start(Way::HttpToHttp)?;
        let work = Work { sessions, with_get_stream: with_stream, ..rig.work.clone() };
        let mut report = hold_sessions(&work, Idle { hold: Duration::from_secs(2) })?;
        report.wanted = wanted;
        Ok(report)
    };
    measured().map_err(|error| format!("{error:#}"))
}

impl Results {
    /// All runs of calls, for the record.
    pub(crate) fn records(&self) -> Vec<Record<'_>> {
        let of = |way: &Way, run| match run {
            Ok(report) => Record::Run { way: *way, report },
            Err(error) => Record::Failed { way: *way, error },
        };
        let runs =
            self.calls.iter().flat_map(|((_, way), runs)| runs.iter().map(move |run| (way, run.as_ref())));
        runs.map(|(way, run)| of(way, run.map_err(String::as_str))).collect()
    }
}

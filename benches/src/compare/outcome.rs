//! Summarizes the runs of a bridge at a load.

use serde::{Deserialize, Serialize};

use super::measure::Runs;
use super::plan::{Load, Route};
use crate::bars::median;
use crate::load::Report;

/// One cell of the tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) route: Route,
    pub(crate) load: Load,
    pub(crate) bridge: String,
    /// Medians of the runs, if there was no fault.
    pub(crate) figures: Option<Figures>,
    /// The fault, if there was one.
    pub(crate) fault: Option<Fault>,
}

/// Medians.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Right answers per second.
    pub(crate) calls_per_second: f64,
    /// Processor time of the bridge per call, without its servers, in microseconds.
    pub(crate) cpu_us: f64,
    /// Median latency, in microseconds.
    pub(crate) p50_us: f64,
    /// The 99th percentile of latencies, in microseconds.
    pub(crate) p99_us: f64,
    /// Resident memory of the bridge with all sessions open, in bytes.
    pub(crate) resident_bytes: f64,
}

/// How a bridge failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// The kind, in a word or two.
    pub(crate) kind: String,
    /// The counts, and the beginning of the error text.
    pub(crate) details: String,
}

impl Outcome {
    pub(crate) fn of(runs: &Runs) -> Self {
        let fault = runs.runs.iter().find_map(fault);
        let reports: Vec<&Report> = runs.runs.iter().filter_map(|run| run.as_ref().ok()).collect();
        // Wrong answers have no speed.
        let figures = if fault.is_none() { figures(&reports) } else { None };
        let bridge = runs.bridge.name.to_owned();
        Self { route: runs.route, load: runs.load, bridge, figures, fault }
    }
}

fn figures(reports: &[&Report]) -> Option<Figures> {
    let middle = |figure: &dyn Fn(&Report) -> Option<f64>| {
        median(reports.iter().filter_map(|report| figure(report)).collect())
    };
    Some(Figures {
        calls_per_second: middle(&|report| Some(report.calls_per_second))?,
        cpu_us: middle(&|report| Some(report.processes?.cpu_us_per_call))?,
        p50_us: middle(&|report| Some(report.latency_us.p50))?,
        p99_us: middle(&|report| Some(report.latency_us.p99))?,
        resident_bytes: middle(&|report| Some(report.processes?.memory.resident_bytes as f64))?,
    })
}

fn fault(run: &Result<Report, String>) -> Option<Fault> {
    let report = match run {
        Ok(report) if report.is_clean() => return None,
        Ok(report) => report,
        Err(error) => return Some(Fault { kind: "no session".to_owned(), details: error.clone() }),
    };
    let counts = report.counts;
    let kind = if counts.wrong > 0 {
        "wrong answers"
    } else if counts.lost > 0 {
        "no answer"
    } else {
        "refused"
    };
    let first = report.failures.first().map_or("", String::as_str);
    let details = format!(
        "{} right, {} wrong, {} refused, {} not answered; {first}",
        report.calls, counts.wrong, counts.failed, counts.lost
    );
    Some(Fault { kind: kind.to_owned(), details })
}

#[cfg(test)]
mod tests {
    use super::super::bridges::BRIDGES;
    use super::*;

    #[test]
    fn a_bridge_that_failed_once_has_no_figures() {
        let runs = Runs {
            route: Route::StdioToHttp,
            load: Load::Small,
            bridge: &BRIDGES[0],
            runs: vec![Err("it does not listen".to_owned())],
        };
        let outcome = Outcome::of(&runs);
        assert!(outcome.figures.is_none());
        assert_eq!(outcome.fault.unwrap().kind, "no session");
    }
}

//! The page that shows a comparison.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::bridges::{CROSSWAY, DIRECT, FLOOR};
use super::outcome::{Figures, Outcome};
use super::plan::{Load, Route};
use crate::load::mib;
use crate::system::System;

/// A dated record, as in benches/results.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The machine and the time.
    pub(crate) system: System,
    /// The number of rounds; medians are taken.
    pub(crate) rounds: usize,
    /// The length of each run, in seconds.
    pub(crate) seconds: f64,
    /// The bridges that were compared.
    pub(crate) bridges: Vec<Compared>,
    /// The results.
    pub(crate) outcomes: Vec<Outcome>,
    /// Every single run, as the load generator reports it.
    pub(crate) runs: serde_json::Value,
}

/// A bridge that was compared.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compared {
    /// The name in the tables.
    pub(crate) name: String,
    /// The version and its source.
    pub(crate) version: String,
    /// The settings and the reason for them.
    pub(crate) settings: String,
}

impl Record {
    /// The bridges on a route, the fastest at its first load first; those without a figure for that last.
    pub(crate) fn bridges_of(&self, route: Route) -> Vec<&str> {
        let mut names: Vec<(&str, f64)> = self
            .outcomes
            .iter()
            .filter(|outcome| outcome.route == route && outcome.load == route.loads()[0])
            .map(|outcome| {
                let speed = outcome.figures.map_or(0.0, |figures| figures.calls_per_second);
                (outcome.bridge.as_str(), speed)
            })
            .collect();
        names.sort_by(|one, other| other.1.total_cmp(&one.1));
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// The outcome of a bridge at a load.
    pub(crate) fn outcome(&self, route: Route, load: Load, bridge: &str) -> Option<&Outcome> {
        self.outcomes
            .iter()
            .find(|outcome| outcome.route == route && outcome.load == load && outcome.bridge == bridge)
    }
}

/// Renders the page in Markdown.
pub(crate) fn page(record: &Record) -> String {
    let System { date, processor, cores, load, crossway, .. } = &record.system;
    let crossway = crossway.as_deref().unwrap_or("crossway");
    let mut text = format!(
        "# Crossway and other bridges\n\n\
         <!-- Written by crossway-compare; edit benches/src/compare/page.rs instead. -->\n\n\
         Measured on {date} by `cargo xtask compare`: {crossway} and other bridges in front of the same small echo server, called \
         by the same load generator, in turns in the same run. {cores} cores ({processor}) shared by load generator, bridge and server; the \
         average load was {} before and {} after. Medians of {} runs of {} s each. Compare figures of one table with \
         each other: times differ from machine to machine.\n\n\
         ![Calls per second and processor time per call](img/comparison.svg)\n\n\
         Each cell has the right answers per second and, in parentheses, the processor time of the bridge per call in \
         microseconds, without that of its server. `8 x 4, 64 B` is 8 sessions with 4 calls in flight each and 64 bytes of \
         argument. Every answer's id and content is checked. A bridge that gave a wrong answer, or none, has no \
         speed: its cell says what happened.\n",
        load[0], load[1], record.rounds, record.seconds,
    );
    let mut notes = Vec::new();
    for route in Route::ALL {
        let names = record.bridges_of(route);
        if !names.is_empty() {
            table(&mut text, record, route, &names, &mut notes);
        }
    }
    if !notes.is_empty() {
        text.push_str("\n## What went wrong\n\n");
        for (number, note) in notes.iter().enumerate() {
            let _ = writeln!(text, "{}. {note}", number + 1);
        }
    }
    text.push_str(
        "\n## Who was compared, and how it was run\n\n| bridge | version | settings |\n|---|---|---|\n",
    );
    for Compared { name, version, settings } in &record.bridges {
        let _ = writeln!(text, "| {name} | {version} | {settings} |");
    }
    let _ = write!(
        text,
        "\nThe settings are those that each bridge's own README or `--help` offers for such work. All runs, with percentiles and memory, are in \
         [benches/results](../benches/results/compare-{date}.json).\n\nmcpo speaks OpenAPI to its clients and no MCP. \
         Crossway's OpenAPI face is not in that table: [another measurement](performance.md#tools-as-openapi-rest-as-tools) compares the two.\n"
    );
    text
}

fn table(text: &mut String, record: &Record, route: Route, names: &[&str], notes: &mut Vec<String>) {
    let loads = route.loads();
    let _ = write!(text, "\n## {}\n\n| bridge |", route.title());
    for load in loads {
        let _ = write!(text, " {} |", load.title());
    }
    text.push_str(" p50, one call at a time | memory, 8 sessions |\n|---|");
    text.push_str(&"--:|".repeat(loads.len() + 2));
    text.push('\n');
    for name in names {
        let shown = if *name == CROSSWAY { format!("**{name}**") } else { (*name).to_owned() };
        let _ = write!(text, "| {shown} |");
        for load in loads {
            let _ = write!(text, " {} |", cell(record.outcome(route, *load, name), notes));
        }
        let figures = |load| record.outcome(route, load, name).and_then(|outcome| outcome.figures);
        let p50 = figures(Load::Single)
            .map_or_else(|| "-".to_owned(), |figures| format!("{:.2} ms", figures.p50_us / 1000.0));
        let memory = figures(Load::Small).map_or_else(
            || "-".to_owned(),
            |figures| format!("{:.0} MiB", mib(figures.resident_bytes as u64)),
        );
        let _ = writeln!(text, " {p50} | {memory} |");
    }
    let is_there = |name: &&str, said: &'static str| if names.contains(name) { said } else { "" };
    let measures = [
        is_there(&DIRECT, "`direct` is no bridge: its processor time is the server's own."),
        is_there(&FLOOR, "`floor` checks nothing."),
    ];
    let measures: Vec<&str> = measures.into_iter().filter(|said| !said.is_empty()).collect();
    if !measures.is_empty() {
        let _ = writeln!(text, "\n{}", measures.join(" "));
    }
}

fn cell(outcome: Option<&Outcome>, notes: &mut Vec<String>) -> String {
    let Some(outcome) = outcome else { return "-".to_owned() };
    if let Some(Figures { calls_per_second, cpu_us, .. }) = outcome.figures {
        return format!("{} ({})", rounded(calls_per_second), rounded(cpu_us));
    }
    let Some(fault) = &outcome.fault else { return "-".to_owned() };
    let what = format!("{}, {}, {}", outcome.bridge, outcome.route.title(), outcome.load.title());
    // Error texts may have line breaks and Markdown syntax.
    let said: String = fault.details.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
    let said: String = said.chars().take(300).collect();
    notes.push(format!("{what}: `{said}`"));
    format!("{} [{}]", fault.kind, notes.len())
}

/// A figure with no more digits than are significant.
pub(crate) fn rounded(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    // Three significant digits.
    let kept = digits.len().min(3);
    let scale = 10f64.powi(i32::try_from(digits.len() - kept).unwrap_or(0));
    thousands(&format!("{:.0}", (value / scale).round() * scale))
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        for (value, text) in [
            (1.25, "1.2"),
            (9.96, "10.0"),
            (14.4, "14"),
            (123.4, "123"),
            (15_678.0, "15,700"),
            (1_234_567.0, "1,230,000"),
        ] {
            assert_eq!(rounded(value), text);
        }
    }

    #[test]
    fn what_went_wrong_is_told_below() {
        let outcome = Outcome {
            route: Route::StdioToHttp,
            load: Load::Middle,
            bridge: "other".to_owned(),
            figures: None,
            fault: Some(super::super::outcome::Fault {
                kind: "no answer".to_owned(),
                details: "0 right,\n32 not answered".to_owned(),
            }),
        };
        let mut notes = Vec::new();
        assert_eq!(cell(Some(&outcome), &mut notes), "no answer [1]");
        assert!(notes[0].contains("8 x 4, 64 KiB: `0 right, 32 not answered`"), "{notes:?}");
    }
}

//! Evaluates each bar.

use std::path::Path;

use serde::Serialize;

use super::measure::{Doing, Found, Results};
use super::rigs::Way;
use super::rows::{Load, Measure, REFERENCE_FLOOR_US, Row};
use super::serving::Cost;
use crate::load::{Counts, Report, SetupReport, mib};

/// One line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The row's name.
    pub(crate) row: &'static str,
    /// The work, in words.
    pub(crate) work: &'static str,
    /// The figure that crossway is compared with, in words.
    pub(crate) reference: String,
    /// Crossway's figure, in words.
    pub(crate) crossway: String,
    /// The figure that the bar limits.
    pub(crate) figure: Option<f64>,
    /// The bar, in words.
    pub(crate) bar: String,
    /// Whether the bar was met; `None` if it was not measured.
    pub(crate) met: Option<bool>,
    /// Further notes.
    pub(crate) notes: Vec<String>,
}

/// The median; `None` if there are no values.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

/// Judges a row.
pub(crate) fn judge(row: &Row, results: &Results, crossway: Option<&Path>) -> Outcome {
    let mut outcome = Outcome {
        row: row.name,
        work: row.work,
        reference: String::new(),
        crossway: String::new(),
        figure: None,
        bar: String::new(),
        met: None,
        notes: Vec::new(),
    };
    match row.measure {
        Measure::Processor { load, way, floor, bar } => {
            let floor = outcome.calls(results, floor, Way::Floor, processor);
            let ours = outcome.calls(results, load, way, processor);
            outcome.reference = words(floor, |us| format!("floor {us:.1} us"));
            outcome.crossway = words(ours, |us| format!("{us:.1} us"));
            outcome.hold(ratio(ours, floor), bar, Side::AtMost, |bar| format!("{bar} x floor"));
        }
        Measure::Against { way, other, bar } => {
            let reference = outcome.calls(results, Load::Small, other, processor);
            let ours = outcome.calls(results, Load::Small, way, processor);
            outcome.reference = words(reference, |us| format!("{} {us:.1} us", other.name()));
            outcome.crossway = words(ours, |us| format!("{us:.1} us"));
            outcome
                .hold(ratio(ours, reference), bar, Side::AtMost, |bar| format!("{bar} x {}", other.name()));
        }
        Measure::Throughput { bar } => outcome.judge_throughput(results, bar),
        Measure::Latency { bar } => outcome.judge_latency(results, bar.as_secs_f64() * 1e6),
        Measure::Huge { ways } => {
            let mut calls = 0;
            for way in ways {
                outcome.calls(results, Load::Huge, *way, |report| {
                    calls += report.calls;
                    Some(0.0)
                });
            }
            outcome.bar = "none".to_owned();
            if crossway.is_some() {
                outcome.crossway = format!("{calls} right");
                outcome.met.get_or_insert(calls > 0);
            }
        }
        Measure::Idle { with_stream, bar } => outcome.judge_idle(results, with_stream, bar),
        Measure::Resident { bar } => {
            let memory = |report: &Report| report.processes.map(|used| used.memory.resident_bytes as f64);
            let ours = outcome.calls(results, Load::Single, Way::Launched, memory);
            outcome.crossway = words(ours, |bytes| format!("{:.1} MiB", mib(bytes as u64)));
            outcome.hold(ours, bar, Side::AtMost, |bar| format!("{:.0} MiB", mib(bar as u64)));
        }
        Measure::Size { bar } => {
            let size = crossway.and_then(|path| std::fs::metadata(path).ok()).map(|file| file.len() as f64);
            outcome.crossway = words(size, |bytes| format!("{:.1} MiB", mib(bytes as u64)));
            outcome.hold(size, bar, Side::AtMost, |bar| format!("{:.0} MiB", mib(bar as u64)));
        }
        Measure::SetUps { bar } => outcome.judge_set_ups(results, bar),
        Measure::Turns { bar } => {
            let ours =
                outcome.errands(results, Doing::Turns, Way::MergedHttp, |report| report.server_requests);
            outcome.crossway = words(ours, |requests| format!("{requests:.2}"));
            outcome.hold(ours, bar, Side::AtMost, |bar| bar.to_string());
        }
        Measure::PacedTurns { bar } => {
            let p99 = |report: &SetupReport| Some(report.set_up_us.p99 / 1000.0);
            let reference = outcome.errands(results, Doing::PacedTurns, Way::Direct, p99);
            let ours = outcome.errands(results, Doing::PacedTurns, Way::MergedFew, p99);
            outcome.reference = words(reference, |ms| format!("direct {ms:.1} ms"));
            outcome.crossway = words(ours, |ms| format!("{ms:.1} ms"));
            let above = ours.zip(reference).map(|(ours, reference)| ours - reference);
            outcome.hold(above, bar.as_secs_f64() * 1000.0, Side::AtMost, |bar| format!("{bar} ms"));
        }
        Measure::Lists { way, other, bar } => {
            let cost = |report: &SetupReport| report.processes.map(|used| used.cpu_us_per_call);
            let reference = outcome.errands(results, Doing::Lists, other, cost);
            let ours = outcome.errands(results, Doing::Lists, way, cost);
            outcome.reference = words(reference, |us| format!("{} {us:.0} us", other.name()));
            outcome.crossway = words(ours, |us| format!("{us:.0} us"));
            outcome
                .hold(ratio(ours, reference), bar, Side::AtMost, |bar| format!("{bar} x {}", other.name()));
        }
        Measure::Serving { cost, bar } => outcome.judge_serving(results, cost, bar),
        Measure::IdleMerged { bar } => {
            let run = results.idle_merged.as_ref();
            let report = run.and_then(|run| {
                outcome.look(Way::MergedHttp, run, |report| (report.counts, &report.failures[..]))
            });
            let held = report.map(|report| report.held.resident_bytes as f64);
            outcome.crossway = words(held, |bytes| format!("{:.1} MiB", mib(bytes as u64)));
            if let Some(report) = report {
                outcome.notes.push(format!("{} sessions were held", report.sessions));
            }
            outcome.hold(held, bar, Side::AtMost, |bar| format!("{:.0} MiB", mib(bar as u64)));
        }
    }
    outcome
}

#[derive(Clone, Copy)]
enum Side {
    AtMost,
    AtLeast,
}

fn processor(report: &Report) -> Option<f64> {
    report.processes.map(|used| used.cpu_us_per_call)
}

fn ratio(ours: Option<f64>, reference: Option<f64>) -> Option<f64> {
    Some(ours? / reference?)
}

fn words(value: Option<f64>, say: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), say)
}

impl Outcome {
    /// The median of a figure over runs of calls; a fault in crossway's runs fails the row.
    fn calls(
        &mut self,
        results: &Results,
        load: Load,
        way: Way,
        mut figure: impl FnMut(&Report) -> Option<f64>,
    ) -> Option<f64> {
        let runs = results.calls.get(&(load, way))?;
        let mut figures = Vec::new();
        for run in runs {
            let reports = self.look(way, run, |report| (report.counts, &report.failures[..]));
            figures.extend(reports.and_then(&mut figure));
        }
        median(figures)
    }

    /// The median of a figure over runs of set-ups; a fault in crossway's runs fails the row.
    fn set_ups(
        &mut self,
        results: &Results,
        way: Way,
        figure: impl Fn(&SetupReport) -> Option<f64>,
    ) -> Option<f64> {
        let mut figures = Vec::new();
        for run in results.set_ups.get(&way)? {
            let report = self.look(way, run, |report| (report.counts, &report.failures[..]));
            figures.extend(report.and_then(&figure));
        }
        median(figures)
    }

    /// The median of a figure over errands; a fault in crossway's runs fails the row.
    fn errands(
        &mut self,
        results: &Results,
        doing: Doing,
        way: Way,
        figure: impl Fn(&SetupReport) -> Option<f64>,
    ) -> Option<f64> {
        let mut figures = Vec::new();
        for run in results.errands.get(&(doing, way))? {
            let report = self.look(way, run, |report| (report.counts, &report.failures[..]));
            figures.extend(report.and_then(&figure));
        }
        median(figures)
    }

    /// Notes a run's faults, which fail the row if crossway was on its way.
    fn look<'a, T>(
        &mut self,
        way: Way,
        run: &'a Found<T>,
        faults: impl Fn(&'a T) -> (Counts, &'a [String]),
    ) -> Option<&'a T> {
        let (found, note) = match run {
            Ok(report) => {
                let (counts, failures) = faults(report);
                let Counts { wrong, failed, lost } = counts;
                let first = failures.first().map_or("", String::as_str);
                let note = format!("{}: {wrong} wrong, {failed} failed, {lost} lost: {first}", way.name());
                (Some(report), (!counts.is_clean()).then_some(note))
            }
            Err(error) => (None, Some(format!("{}: {error}", way.name()))),
        };
        if let Some(note) = note {
            if way.is_crossway() {
                self.met = Some(false);
            }
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        found
    }

    fn hold(&mut self, figure: Option<f64>, bar: f64, side: Side, say: impl Fn(f64) -> String) {
        self.figure = figure;
        let (sign, met) = match side {
            Side::AtMost => ("<=", figure.map(|figure| figure <= bar)),
            Side::AtLeast => (">=", figure.map(|figure| figure >= bar)),
        };
        self.bar = format!("{sign} {}", say(bar));
        // A good figure does not undo an earlier failure.
        self.met = self.met.or(met);
    }

    /// Crossway shares the machine with the load generator and the server, which have it to themselves in direct runs; so a note gives the
    /// floor's ratio too.
    fn judge_throughput(&mut self, results: &Results, bar: f64) {
        let rate = |report: &Report| Some(report.calls_per_second);
        let floor = self.calls(results, Load::Small, Way::Floor, rate);
        let direct = self.calls(results, Load::Small, Way::Direct, rate);
        let ours = self.calls(results, Load::Small, Way::Stdio, rate);
        self.reference = words(direct, |rate| format!("direct {rate:.0}/s"));
        self.crossway = words(ours, |rate| format!("{rate:.0}/s"));
        self.hold(ratio(ours, direct), bar, Side::AtLeast, |bar| format!("{bar} x direct"));
        if let (Some(floor), Some(of_direct)) = (floor, ratio(floor, direct)) {
            self.notes.push(format!("the floor makes {floor:.0}/s, {of_direct:.2} x direct"));
        }
    }

    fn judge_set_ups(&mut self, results: &Results, bar: f64) {
        let rate = |report: &SetupReport| Some(report.sessions_per_second);
        let cost = |report: &SetupReport| report.processes.map(|used| used.cpu_us_per_call);
        let direct = self.set_ups(results, Way::Direct, rate);
        let ours = self.set_ups(results, Way::HttpToHttp, rate);
        self.reference = words(direct, |rate| format!("direct {rate:.0}/s"));
        self.crossway = words(ours, |rate| format!("{rate:.0}/s"));
        self.hold(ratio(ours, direct), bar, Side::AtLeast, |bar| format!("{bar} x direct"));
        let server = self.set_ups(results, Way::Direct, cost);
        if let (Some(server), Some(bridge)) = (server, self.set_ups(results, Way::HttpToHttp, cost)) {
            self.notes.push(format!(
                "CPU per session: {server:.1} us of the server asked directly, {bridge:.1} us of the bridge on top"
            ));
        }
    }

    fn judge_latency(&mut self, results: &Results, bar_us: f64) {
        let p50 = |report: &Report| Some(report.latency_us.p50);
        let floor = self.calls(results, Load::Small, Way::Floor, processor);
        let direct = self.calls(results, Load::Single, Way::Direct, p50);
        let ours = self.calls(results, Load::Single, Way::Stdio, p50);
        self.reference = words(direct, |us| format!("direct {us:.0} us"));
        self.crossway = words(ours, |us| format!("{us:.0} us"));
        let scaled = floor.map_or(bar_us, |floor| bar_us * floor / REFERENCE_FLOOR_US);
        self.hold(ours.zip(direct).map(|(ours, direct)| ours - direct), scaled, Side::AtMost, |bar| {
            format!("{bar:.0} us ({bar_us:.0} us x floor/{REFERENCE_FLOOR_US:.0})")
        });
    }

    fn judge_serving(&mut self, results: &Results, cost: Cost, bar: f64) {
        let say = |figure: f64| match cost {
            Cost::User | Cost::Session => format!("{:.1} KiB", figure / 1024.0),
            Cost::FirstList => format!("{figure:.0} us"),
            Cost::Reload | Cost::Start => format!("{:.1} ms", figure / 1000.0),
        };
        let figure = match results.serving.get(&cost) {
            Some(Ok(costed)) => {
                self.reference = words(costed.reference, say);
                self.notes.extend(costed.notes.iter().cloned());
                Some(costed.ours)
            }
            Some(Err(error)) => {
                self.met = Some(false);
                self.notes.push(error.clone());
                None
            }
            None => None,
        };
        self.crossway = words(figure, say);
        self.hold(figure, bar, Side::AtMost, say);
    }

    fn judge_idle(&mut self, results: &Results, with_stream: bool, bar: f64) {
        let run = results.idle.get(&with_stream);
        let report = run
            .and_then(|run| self.look(Way::HttpToHttp, run, |report| (report.counts, &report.failures[..])));
        if let Some(report) = report {
            if report.sessions < report.wanted {
                let (held, wanted) = (report.sessions, report.wanted);
                self.notes.push(format!(
                    "held {held} sessions of {wanted}: the limit of open files allows no more"
                ));
            }
            self.crossway = format!("{:.1} KiB", report.bytes_per_session / 1024.0);
        } else {
            "-".clone_into(&mut self.crossway);
        }
        let figure = report.map(|report| report.bytes_per_session);
        self.hold(figure, bar, Side::AtMost, |bar| format!("{:.0} KiB", bar / 1024.0));
    }
}

/// Formats the table.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let heads = ["row", "work", "reference", "crossway", "figure", "bar", "met"].map(str::to_owned);
    let mut lines = vec![heads];
    for outcome in outcomes {
        let met = match outcome.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        // Byte counts are in the words already.
        let figure = outcome.figure.filter(|figure| *figure < 1000.0);
        lines.push([
            outcome.row.to_owned(),
            outcome.work.to_owned(),
            outcome.reference.clone(),
            outcome.crossway.clone(),
            words(figure, |figure| format!("{figure:.2}")),
            outcome.bar.clone(),
            met.to_owned(),
        ]);
    }
    let widths: [usize; 7] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0));
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if number == 0 {
            let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    for outcome in outcomes {
        for note in &outcome.notes {
            text.push_str(&format!("{}: {note}\n", outcome.row));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::rows::ROWS;
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    fn blank() -> Outcome {
        judge(&ROWS[0], &Results::default(), None)
    }

    #[test]
    fn without_runs_nothing_is_met_and_nothing_is_missed() {
        for row in &ROWS {
            assert_eq!(judge(row, &Results::default(), None).met, None, "{}", row.name);
        }
    }

    #[test]
    fn a_bar_holds_on_its_side() {
        for (figure, side, met) in [
            (0.9, Side::AtMost, true),
            (1.1, Side::AtMost, false),
            (0.9, Side::AtLeast, false),
            (1.0, Side::AtLeast, true),
        ] {
            let mut outcome = blank();
            outcome.hold(Some(figure), 1.0, side, |bar| bar.to_string());
            assert_eq!(outcome.met, Some(met));
        }
    }

    #[test]
    fn a_run_that_went_wrong_fails_the_row_only_where_crossway_was_measured() {
        let results = |way| {
            let mut results = Results::default();
            results.calls.insert((Load::Small, way), vec![Err("broke".to_owned())]);
            results
        };
        assert_eq!(judge(&ROWS[0], &results(Way::Stdio), None).met, Some(false));
        let floor = judge(&ROWS[0], &results(Way::Floor), None);
        assert_eq!((floor.met, floor.notes), (None, vec!["floor: broke".to_owned()]));
    }

    #[test]
    fn the_table_has_a_line_for_each_row() {
        let outcomes: Vec<_> = ROWS.iter().map(|row| judge(row, &Results::default(), None)).collect();
        assert_eq!(table(&outcomes).lines().count(), ROWS.len() + 2);
    }
}

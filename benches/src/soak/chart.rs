//! Draws charts over time, as SVG.

use std::fmt::Write as _;

use super::events::What;
use super::record::{Record, Tick};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 36.0;

/// Readable on white and on black, by the reader's own preference.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#24292f}\
.head{font-size:13px;font-weight:600}.soft{fill:#57606a}\
.grid{stroke:#d0d7de;stroke-width:1}.first{fill:none;stroke:#1f6feb;stroke-width:1.6}\
.second{fill:none;stroke:#bf8700;stroke-width:1.6}.kill{stroke:#cf222e;stroke-width:1}.reload{stroke:#2da44e;stroke-width:1}\
.name-first{fill:#1f6feb}.name-second{fill:#9a6700}.name-kill{fill:#cf222e}.name-reload{fill:#2da44e}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9198a1}.grid{stroke:#3d444d}\
.first{stroke:#58a6ff}.second{stroke:#d29922}.name-first{fill:#58a6ff}.name-second{fill:#d29922}}";

/// A line of a chart.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) figure: fn(&Tick) -> f64,
}

/// A chart.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) lines: &'static [Line],
}

/// The charts of a record, with the names of their files.
pub(crate) const CHARTS: [(&str, Chart); 3] = [
    (
        "soak-memory.svg",
        Chart {
            title: "Memory of the gateway",
            unit: "MiB",
            lines: &[Line { name: "resident", figure: |tick| tick.resident_bytes as f64 / 1024.0 / 1024.0 }],
        },
    ),
    (
        "soak-latency.svg",
        Chart {
            title: "How long calls take",
            unit: "ms",
            lines: &[
                Line { name: "p50", figure: |tick| tick.call_p50 / 1000.0 },
                Line { name: "p99", figure: |tick| tick.call_p99 / 1000.0 },
            ],
        },
    ),
    (
        "soak-calls.svg",
        Chart {
            title: "What users do",
            unit: "per second",
            lines: &[
                Line { name: "turns", figure: |tick| tick.turns_per_second },
                Line { name: "calls", figure: |tick| tick.calls_per_second },
            ],
        },
    ),
];

/// Draws a chart.
pub(crate) fn draw(chart: &Chart, record: &Record) -> String {
    let highest =
        chart.lines.iter().flat_map(|line| record.ticks.iter().map(line.figure)).fold(0.0, f64::max);
    let step = step(highest);
    let steps = (highest / step).ceil().max(1.0);
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let across = |seconds: f64| LEFT + width * (seconds / record.seconds).min(1.0);
    let up = |value: f64| HEIGHT - BOTTOM - height * value / (step * steps);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}, {unit}, over {minutes:.0} minutes\">\n\
         <style>{STYLE}</style>\n<text class=\"head\" x=\"{LEFT}\" y=\"20\">{title} ({unit})</text>\n",
        title = chart.title,
        unit = chart.unit,
        minutes = record.seconds / 60.0,
    );
    let mut place = LEFT;
    let kinds = [("kill", "a server is killed"), ("reload", "a config changes")];
    let names = ["first", "second"].into_iter().zip(chart.lines.iter().map(|line| line.name)).chain(kinds);
    for (class, name) in names {
        let _ = writeln!(svg, "<text class=\"name-{class}\" x=\"{place}\" y=\"38\">{name}</text>");
        place += 24.0 + 7.0 * name.len() as f64;
    }
    for number in 0..=steps as usize {
        let value = number as f64 * step;
        let y = up(value);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    let minutes = record.seconds / 60.0;
    // Half a minute, or whole minutes.
    let every = if minutes < 6.0 { 0.5 } else { (minutes / 6.0).round() };
    for number in 0..=(minutes / every) as usize {
        let minute = number as f64 * every;
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{minute} min</text>",
            across(minute * 60.0),
            HEIGHT - BOTTOM + 18.0
        );
    }
    for event in &record.events {
        let class = match event.what {
            What::Kill => "kill",
            What::Reload => "reload",
            What::Secrets | What::BrokenReload => continue,
        };
        let (x, y) = (across(event.at), HEIGHT - BOTTOM);
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y}\" y2=\"{}\"/>",
            y + 5.0
        );
    }
    for (class, line) in ["first", "second"].into_iter().zip(chart.lines) {
        let points: Vec<String> = record
            .ticks
            .iter()
            .map(|tick| format!("{:.1},{:.1}", across(tick.at), up((line.figure)(tick))))
            .collect();
        let _ = writeln!(svg, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }
    svg.push_str("</svg>\n");
    svg
}

/// A round step, of which four to ten fit below a value.
fn step(highest: f64) -> f64 {
    let rough = (highest / 5.0).max(1e-3);
    let decade = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|part| part * decade).find(|step| *step >= rough).unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn steps_are_round() {
        for (highest, expected) in [(4.0, 1.0), (7.0, 2.0), (90.0, 20.0), (130.0, 50.0), (0.0, 0.001)] {
            assert!((step(highest) - expected).abs() < expected / 100.0, "{highest}: {}", step(highest));
        }
    }

    #[test]
    fn a_chart_has_a_line_for_each_figure_and_a_mark_for_each_event() {
        let record = record(|_| 50_000_000);
        for (_, chart) in &CHARTS {
            let svg = draw(chart, &record);
            assert_eq!(svg.matches("<polyline").count(), chart.lines.len());
            assert_eq!(svg.matches("class=\"kill\"").count(), 1);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        let long = draw(&CHARTS[0].1, &super::super::record::Record { seconds: 1804.1, ..record });
        for minute in ["0", "5", "10", "25", "30"] {
            assert!(long.contains(&format!(">{minute} min</text>")), "{long}");
        }
    }
}

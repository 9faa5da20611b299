//! Draws the chart: calls per second and processor time per call, on logarithmic scales, as SVG.

use std::fmt::Write as _;

use super::bridges::{CROSSWAY, DIRECT, FLOOR};
use super::outcome::{Figures, Outcome};
use super::page::{Record, rounded};
use super::plan::{Load, Route};

const WIDTH: f64 = 880.0;
const ROW: f64 = 28.0;
const TOP: f64 = 84.0;
/// The right edge of names.
const NAMES: f64 = 176.0;
/// The gap between a name and its bar, and around a value.
const GAP: f64 = 8.0;
const PANEL: f64 = 270.0;
/// Room behind the longest bar for its value.
const VALUE: f64 = 56.0;

/// Readable on white and on black, by the reader's own preference.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#24292f}\
.head{font-weight:600}.small{font-size:11px}.soft{fill:#57606a}\
.grid{stroke:#d0d7de;stroke-width:1}.ours{fill:#1f6feb}.other{fill:#8c959f}\
.measure{fill:none;stroke:#8c959f;stroke-width:1.5;stroke-dasharray:4 3}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9198a1}.grid{stroke:#3d444d}\
.ours{fill:#58a6ff}.other{fill:#6e7681}.measure{stroke:#9198a1}}";

struct Panel {
    left: f64,
    title: &'static str,
    figure: fn(&Outcome) -> Option<f64>,
}

const PANELS: [Panel; 2] = [
    Panel {
        left: NAMES + GAP,
        title: "calls per second (more is better)",
        figure: |outcome| Some(outcome.figures?.calls_per_second),
    },
    Panel {
        left: NAMES + GAP + PANEL + VALUE + 3.0 * GAP,
        title: "bridge's CPU per call, us (less is better)",
        // Without a bridge there is no bridge's time.
        figure: |outcome| {
            Some(outcome.figures?).filter(|_| outcome.bridge != DIRECT).map(|Figures { cpu_us, .. }| cpu_us)
        },
    },
];

/// The chart of the first route at its first load.
pub(crate) fn chart(record: &Record) -> String {
    let (route, load) = (Route::StdioToHttp, Load::Small);
    let names = record.bridges_of(route);
    let outcomes: Vec<&Outcome> = names.iter().filter_map(|name| record.outcome(route, load, name)).collect();
    let bottom = TOP + ROW * outcomes.len() as f64;
    let height = bottom + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title about\">\n\
         <title id=\"title\">Calls per second and processor time per call of bridges for MCP</title>\n\
         <desc id=\"about\">The figures are those of docs/comparison.md.</desc>\n<style>{STYLE}</style>\n\
         <text class=\"head\" x=\"{GAP}\" y=\"22\">{}: {}</text>\n\
         <text class=\"small soft\" x=\"{GAP}\" y=\"42\">{}, medians of {} runs in turns, every answer checked; logarithmic scales. \
         Dashed: no bridge, and one that checks nothing.</text>\n",
        route.title(),
        words(load),
        record.system.date,
        record.rounds,
    );
    for panel in &PANELS {
        draw_panel(&mut svg, panel, &outcomes, bottom);
    }
    for (index, outcome) in outcomes.iter().enumerate() {
        let y = TOP + ROW * index as f64 + 18.0;
        let class = if outcome.bridge == CROSSWAY { " class=\"head\"" } else { "" };
        let name = escape(&outcome.bridge);
        let _ = writeln!(svg, "<text{class} x=\"{NAMES}\" y=\"{y}\" text-anchor=\"end\">{name}</text>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn words(load: Load) -> String {
    let (sessions, concurrency, payload) = load.shape();
    format!("{sessions} sessions, {concurrency} calls in flight each, {payload} B")
}

fn draw_panel(svg: &mut String, panel: &Panel, outcomes: &[&Outcome], bottom: f64) {
    let figures: Vec<f64> = outcomes.iter().filter_map(|outcome| (panel.figure)(outcome)).collect();
    let Some(scale) = Scale::over(&figures) else { return };
    let _ = writeln!(
        svg,
        "<text class=\"small\" x=\"{}\" y=\"{}\">{}</text>",
        panel.left,
        TOP - 16.0,
        panel.title
    );
    for decade in scale.low..=scale.high {
        let x = panel.left + scale.place(10f64.powi(decade));
        let label = rounded(10f64.powi(decade));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom}\"/>\
             <text class=\"small soft\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            TOP - 6.0,
            bottom + 16.0
        );
    }
    for (index, outcome) in outcomes.iter().enumerate() {
        let top = TOP + ROW * index as f64;
        let class = match outcome.bridge.as_str() {
            CROSSWAY => "ours",
            DIRECT | FLOOR => "measure",
            _ => "other",
        };
        let (length, label) = match ((panel.figure)(outcome), &outcome.fault) {
            (Some(figure), _) => (scale.place(figure), rounded(figure)),
            (None, Some(fault)) => (0.0, fault.kind.clone()),
            (None, None) => (0.0, "-".to_owned()),
        };
        if length > 0.0 {
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" rx=\"2\"/>",
                panel.left,
                top + 5.0,
                ROW - 10.0
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            panel.left + length + GAP / 2.0,
            top + 18.0,
            escape(&label)
        );
    }
}

/// Whole decades over a panel's width.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    fn over(figures: &[f64]) -> Option<Self> {
        let smallest = figures.iter().copied().reduce(f64::min).filter(|smallest| *smallest > 0.0)?;
        let largest = figures.iter().copied().reduce(f64::max)?;
        // A value at the scale's lower end would have an invisible bar.
        let low = (smallest * 0.8).log10().floor() as i32;
        Some(Self { low, high: (largest.log10().ceil() as i32).max(low + 1) })
    }

    fn place(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low) * PANEL
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_whole_decades() {
        let scale = Scale::over(&[44.0, 15_700.0]).unwrap();
        assert_eq!((scale.low, scale.high), (1, 5));
        assert!((scale.place(1000.0) - PANEL / 2.0).abs() < 1e-6);
        assert!(Scale::over(&[]).is_none());
    }
}

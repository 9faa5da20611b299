//! The command line.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use serde::Serialize;

use super::bad::Neighbour;
use super::good::{Calling, calls};
use crate::bars::median;
use crate::load::{Address, Target, Work};
use crate::open_webui::OpenWebUi;
use crate::program::{Program, sibling};
use crate::system::System;

/// The highest allowed ratio of p99 with a neighbour to p99 without.
const BAR: f64 = 1.5;

/// The time after which a call of the neighbour counts as lost.
const NEIGHBOURS_PATIENCE: Duration = Duration::from_secs(5);

/// The lifetime of signed user tokens.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Measure how long calls of good servers take beside a bad one, and a tenant's beside one that is beyond its quota.
///
/// Starts everything itself. Calls are made at fixed times, without and with the neighbour in turns; a call of them that is not
/// answered rightly ends the run. What counts is the ratio of the 99th percentiles.
#[derive(Debug, Parser)]
#[command(name = "crossway-neighbours", version)]
pub struct Cli {
    /// This neighbour only. Can be given several times.
    #[arg(long, value_enum)]
    only: Vec<Neighbour>,

    /// How many rounds; medians are taken.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,

    /// How many seconds each run takes.
    #[arg(long, default_value_t = 4.0, value_name = "SECS")]
    duration: f64,

    /// The crossway to measure [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// The echo server [default: crossway-echo beside this program].
    #[arg(long, value_name = "PATH")]
    echo: Option<PathBuf>,

    /// Where the record goes.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The measured latencies, in microseconds.
#[derive(Debug, Serialize)]
struct Line {
    neighbour: &'static str,
    p50: [f64; 2],
    p99: [f64; 2],
    ratio: f64,
    /// The number of calls that the neighbour made.
    asked: u64,
}

impl Cli {
    /// Measures, and prints a table.
    ///
    /// # Errors
    ///
    /// When a program is missing, or a call of the good server is answered wrongly.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(self.duration > 0.0 && self.duration <= 3600.0, "--duration is to be above 0");
        let beside = |given: &Option<PathBuf>, name| given.clone().map_or_else(|| sibling(name), Ok);
        let crossway = beside(&self.crossway, "crossway")?;
        let echo = fs::canonicalize(beside(&self.echo, "crossway-echo")?)?;
        let mut system = System::look(Some(&crossway));
        let wanted = |neighbour: &Neighbour| self.only.is_empty() || self.only.contains(neighbour);
        let mut out = std::io::stdout();
        writeln!(out, "| neighbour | p50 without, with | p99 without, with | ratio of p99 | its calls |")?;
        writeln!(out, "|---|---|---|---|---|")?;
        let mut lines = Vec::new();
        for neighbour in Neighbour::ALL.into_iter().filter(wanted) {
            let line = self.measure(neighbour, &crossway, &echo)?;
            let [p50, p99] =
                [line.p50, line.p99].map(|[without, with]| format!("{without:.0}, {with:.0} us"));
            writeln!(out, "| {} | {p50} | {p99} | {:.2} | {} |", line.neighbour, line.ratio, line.asked)?;
            lines.push(line);
        }
        system.look_again();
        if let Some(file) = &self.json {
            let record = serde_json::json!({
                "system": system, "rounds": self.rounds, "seconds": self.duration, "neighbours": lines,
            });
            fs::write(file, serde_json::to_string_pretty(&record)? + "\n")?;
        }
        let missed = lines.iter().any(|line| line.ratio > BAR);
        Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn measure(&self, neighbour: Neighbour, crossway: &Path, echo: &Path) -> anyhow::Result<Line> {
        let server = Program::start(echo, &["streamable-http".into()], &["/mcp"])?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("crossway.json");
        let (flags, config) = neighbour.config(server.url("/mcp"), echo);
        fs::write(&file, config.to_string())?;
        let arguments: Vec<OsString> =
            flags.iter().map(Into::into).chain([file.as_os_str().to_owned()]).collect();
        let gateway = Program::start(crossway, &arguments, &["/mcp"])?;
        let target = Target::StreamableHttp(Address::parse(gateway.url("/mcp"))?);
        let mut good = Work { tool: "good__echo".to_owned(), ..Work::new(target) };
        let mut bad = Work { tool: "bad__echo".to_owned(), timeout: NEIGHBOURS_PATIENCE, ..good.clone() };
        if neighbour == Neighbour::Tenant {
            let open_webui = OpenWebUi::new();
            good.headers = open_webui.headers("user@good.example", "user", TOKEN_LIFE);
            bad.headers = open_webui.headers("user@bad.example", "user", TOKEN_LIFE);
            bad.tool.clone_from(&good.tool);
        }
        let time = Duration::from_secs_f64(self.duration);
        let mut found = [Vec::new(), Vec::new()];
        let mut asked = 0;
        for _ in 0..self.rounds {
            found[0].push(calls(&good, time)?);
            let calling = Calling::begin(bad.clone())?;
            // The neighbour's beginning is not typical.
            std::thread::sleep(Duration::from_millis(500));
            found[1].push(calls(&good, time)?);
            asked += calling.asked();
        }
        let [p50, p99] = [0.5, 0.99].map(|quantile| {
            [0, 1].map(|run: usize| {
                let figures = found[run].iter().map(|run| if quantile > 0.9 { run.p99 } else { run.p50 });
                median(figures.collect()).unwrap_or_default()
            })
        });
        Ok(Line { neighbour: neighbour.name(), p50, p99, ratio: p99[1] / p99[0], asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

//! The command line of the table of bars.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use serde_json::json;

use super::measure::{Effort, measure};
use super::outcome::{judge, table};
use super::rigs::Programs;
use super::rows::{ROWS, Row};
use crate::program::sibling;
use crate::system::System;

/// The folder of records, relative to the root of the repository.
const RESULTS: &str = "benches/results";

/// Measure crossway against the floor and against the server asked directly, and say which bars are met.
///
/// All programs are started here, on 127.0.0.1 with free ports. The ways are measured in turns and
/// medians are taken, so that what else the machine does falls on all alike: compare the ratios, not
/// the times. Without --crossway (and none beside this program) the floor and direct are measured alone.
#[derive(Debug, Parser)]
#[command(
    name = "crossway-bars",
    version,
    after_help = "Exit codes: 0 every measured bar is met, 1 some is not, 2 wrong usage or a program is missing."
)]
pub struct Cli {
    /// The crossway to measure [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// The floor to compare with; takes `--listen ADDR -- COMMAND` and prints its URL [default: crossway-floor
    /// beside this program].
    #[arg(long, value_name = "PATH")]
    floor: Option<PathBuf>,

    /// The echo server [default: crossway-echo beside this program].
    #[arg(long, value_name = "PATH")]
    echo: Option<PathBuf>,

    /// Measure this row only. Can be given several times.
    #[arg(long, value_name = "ROW", value_parser = clap::builder::PossibleValuesParser::new(ROWS.map(|row| row.name)))]
    only: Vec<String>,

    /// How many rounds; each way is measured once in each.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,

    /// How many seconds each run takes.
    #[arg(long, default_value_t = 3.0, value_name = "SECS")]
    duration: f64,

    /// Two rounds of a second, and fewer idle sessions: for a first look.
    #[arg(long, conflicts_with_all = ["rounds", "duration"])]
    quick: bool,

    /// Where the record goes [default: benches/results/bars-DATE.json, for a whole table].
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Cli {
    /// Measures and prints the table.
    ///
    /// # Errors
    ///
    /// When a program is missing, or the record can't be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(
            self.duration > 0.0 && self.duration <= 3600.0,
            "--duration is to be above 0 and at most an hour"
        );
        let programs = self.programs()?;
        let rows = self.rows();
        let effort = if self.quick {
            let (duration, warmup) = (Duration::from_secs(1), Duration::from_millis(300));
            Effort { rounds: 2, duration, warmup, quick: true }
        } else {
            let duration = Duration::from_secs_f64(self.duration);
            Effort { rounds: self.rounds.into(), duration, warmup: Duration::from_millis(500), quick: false }
        };
        let crossway = programs.crossway.as_deref();
        let mut system = System::look(crossway);
        let results = measure(&programs, &rows, effort, true);
        system.look_again();
        let outcomes: Vec<_> = rows.iter().map(|row| judge(row, &results, crossway)).collect();
        write!(std::io::stdout(), "{}", table(&outcomes))?;
        if let Some(file) = self.record(&system) {
            let record = json!({
                "system": system,
                "rounds": effort.rounds,
                "seconds": effort.duration.as_secs_f64(),
                "bars": outcomes,
                "runs": results.records(),
            });
            write_record(&file, &record)?;
        }
        let missed = outcomes.iter().any(|outcome| outcome.met == Some(false));
        Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn programs(&self) -> anyhow::Result<Programs> {
        let given = |path: &Option<PathBuf>, name: &str| match path {
            Some(path) if path.is_file() => Ok(path.clone()),
            Some(path) => bail!("{} is not there", path.display()),
            None => sibling(name),
        };
        let crossway = match &self.crossway {
            Some(_) => Some(given(&self.crossway, "crossway")?),
            None => sibling("crossway").ok(),
        };
        Ok(Programs {
            echo: given(&self.echo, "crossway-echo")?,
            floor: given(&self.floor, "crossway-floor")?,
            crossway,
        })
    }

    fn rows(&self) -> Vec<Row> {
        let wanted = |row: &Row| self.only.is_empty() || self.only.iter().any(|name| name == row.name);
        ROWS.into_iter().filter(wanted).collect()
    }

    /// The record's file. By default only whole tables are recorded.
    fn record(&self, system: &System) -> Option<PathBuf> {
        let whole = self.only.is_empty() && !self.quick && system.crossway.is_some();
        let kept = || Path::new(RESULTS).join(format!("bars-{}.json", system.date));
        self.json.clone().or_else(|| (whole && Path::new(RESULTS).is_dir()).then(kept))
    }
}

fn write_record(file: &Path, record: &serde_json::Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(record)? + "\n";
    fs::write(file, text).with_context(|| format!("could not write {}", file.display()))?;
    writeln!(std::io::stdout(), "recorded in {}", file.display())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["crossway-bars", "--only", "8x4", "--only", "size"]).unwrap();
        assert_eq!(cli.rows().len(), 2);
        assert!(Cli::try_parse_from(["crossway-bars", "--only", "nonsense"]).is_err());
    }
}

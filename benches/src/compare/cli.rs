//! The command line of the comparison.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use serde_json::json;

use super::bridges::BRIDGES;
use super::chart::chart;
use super::install;
use super::measure::{Effort, Runs, measure};
use super::outcome::Outcome;
use super::page::{Compared, Record, page};
use super::plan::{Place, Route};
use crate::program::sibling;
use crate::system::System;

/// Compare Crossway with other bridges at the same work, in turns, and write a dated record, a page and a chart.
///
/// The others are installed at pinned versions, which takes npm, Python 3.10 or newer with venv, and cargo. Run it at
/// the root of the repository.
#[derive(Debug, Parser)]
#[command(name = "crossway-compare", version)]
pub struct Cli {
    /// The crossway to compare [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// Where the others are installed.
    #[arg(long, default_value = "target/compare", value_name = "DIR")]
    installed: PathBuf,

    /// How many rounds; each bridge does each work once in each.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,

    /// How many seconds each run takes.
    #[arg(long, default_value_t = 3.0, value_name = "SECS")]
    duration: f64,

    /// Compare only bridges that have this in their names; nothing is recorded then. Can be given several times.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// Measure nothing: write page and chart anew from a record.
    #[arg(long, value_name = "RECORD", conflicts_with = "only")]
    render: Option<PathBuf>,
}

impl Cli {
    /// Runs the comparison, or renders a record.
    ///
    /// # Errors
    ///
    /// When something can't be installed, or a file can't be written. Failures of bridges are part of the result.
    pub fn run(self) -> anyhow::Result<()> {
        ensure!(Path::new("benches/compare").is_dir(), "run this at the root of the repository");
        if let Some(file) = &self.render {
            let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
            return publish(&serde_json::from_str(&text).with_context(|| file.display().to_string())?);
        }
        ensure!(
            self.duration > 0.0 && self.duration <= 3600.0,
            "--duration is to be above 0 and at most an hour"
        );
        let place = self.place()?;
        install::everything(&place)?;
        let record = self.compare(&place)?;
        if !self.only.is_empty() {
            write!(std::io::stdout(), "{}", page(&record))?;
            return Ok(());
        }
        let file = format!("benches/results/compare-{}.json", record.system.date);
        let text = serde_json::to_string_pretty(&record)? + "\n";
        fs::write(&file, text).with_context(|| format!("could not write {file}"))?;
        writeln!(std::io::stdout(), "recorded in {file}")?;
        publish(&record)
    }

    fn compare(&self, place: &Place) -> anyhow::Result<Record> {
        let effort = Effort {
            rounds: self.rounds.into(),
            duration: Duration::from_secs_f64(self.duration),
            warmup: Duration::from_millis(500),
        };
        let wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|text| name.contains(text));
        let mut system = System::look(Some(&place.crossway));
        let found = measure(place, &Route::ALL, |bridge| wanted(bridge.name), effort)?;
        system.look_again();
        let compared = BRIDGES.iter().map(|bridge| Compared {
            name: bridge.name.to_owned(),
            version: bridge.version.to_owned(),
            settings: bridge.settings.to_owned(),
        });
        Ok(Record {
            system,
            rounds: effort.rounds,
            seconds: self.duration,
            bridges: compared.collect(),
            outcomes: found.iter().map(Outcome::of).collect(),
            runs: found.iter().flat_map(all).collect(),
        })
    }

    fn place(&self) -> anyhow::Result<Place> {
        fs::create_dir_all(&self.installed)
            .with_context(|| format!("{} cannot be created", self.installed.display()))?;
        let whole =
            |path: &Path| path.canonicalize().with_context(|| format!("{} is not there", path.display()));
        Ok(Place {
            installed: whole(&self.installed)?,
            lists: whole(Path::new("benches/compare"))?,
            echo: sibling("crossway-echo")?,
            floor: sibling("crossway-floor")?,
            crossway: self.crossway.as_deref().map_or_else(|| sibling("crossway"), whole)?,
        })
    }
}

fn all(found: &Runs) -> impl Iterator<Item = serde_json::Value> + '_ {
    found.runs.iter().map(|run| {
        let (route, load, bridge) = (found.route, found.load, found.bridge.name);
        match run {
            Ok(report) => json!({ "route": route, "load": load, "bridge": bridge, "report": report }),
            Err(error) => json!({ "route": route, "load": load, "bridge": bridge, "error": error }),
        }
    })
}

/// Writes the page and the chart.
fn publish(record: &Record) -> anyhow::Result<()> {
    fs::create_dir_all("docs/img").context("docs/img cannot be created")?;
    for (file, text) in [("docs/comparison.md", page(record)), ("docs/img/comparison.svg", chart(record))] {
        fs::write(file, text).with_context(|| format!("could not write {file}"))?;
        writeln!(std::io::stdout(), "wrote {file}")?;
    }
    Ok(())
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

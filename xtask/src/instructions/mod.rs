//! `cargo xtask instructions`: compares the instruction counts of the hot paths with a checked-in baseline.
//!
//! Seconds differ from minute to minute on shared machines; instructions of the same program repeat anywhere.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::place::{Build, Place};

mod baseline;
mod count;

use baseline::{Baseline, Origin};
use count::{Counted, HotPath};

/// What to do with the counts.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write the counts to benches/instructions.json, instead of comparing them with it.
    #[arg(long)]
    update: bool,

    /// Show the table and succeed, whatever it says. For toolchains and machines that the baseline is not of.
    #[arg(long, conflicts_with = "update")]
    report: bool,

    /// Show the table and succeed where the toolchain or the machine is not the baseline's; compare where they are.
    #[arg(long, conflicts_with_all = ["update", "report"])]
    report_elsewhere: bool,

    /// Count only what has this in its name. May be given more than once.
    #[arg(long, value_name = "TEXT", conflicts_with = "update")]
    only: Vec<String>,
}

/// Counts and compares; returns false if a path became slower.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let place = Place::new()?;
    let file = place.root.join("benches/instructions.json");
    ensure!(
        Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()),
        "valgrind is needed, and is not there: apt-get install --yes valgrind"
    );
    let (program, kept) = build(&place)?;
    let wanted = |path: &HotPath| {
        options.only.is_empty() || options.only.iter().any(|text| path.name.contains(text.as_str()))
    };
    let paths: Vec<HotPath> = count::paths(&program)?.into_iter().filter(wanted).collect();
    ensure!(!paths.is_empty(), "no path has {:?} in its name", options.only);
    let counted = count::all(&program, &kept, &paths)?;
    let here = Origin::here()?;

    if options.update {
        let text = Baseline::of(here, &counted).to_json()?;
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        eprintln!("{}wrote benches/instructions.json", baseline::table(&counted, None));
        return Ok(true);
    }
    let text = fs::read_to_string(&file).context("benches/instructions.json; --update writes it")?;
    let baseline = Baseline::from_json(&text).context("benches/instructions.json")?;
    eprint!("{}", baseline::table(&counted, Some(&baseline)));
    let is_elsewhere = baseline.origin != here;
    Ok(judge(&baseline, &here, &counted) || options.report || options.report_elsewhere && is_elsewhere)
}

/// Whether the counts agree with the baseline. Counts that can't be compared do not.
fn judge(baseline: &Baseline, here: &Origin, counted: &[Counted]) -> bool {
    if baseline.origin != *here {
        eprintln!(
            "NOT COMPARED: the baseline was counted with {}, and this is {here}. Compare with that toolchain (RUSTC says which), write a \
             baseline of this one from a state that is known to be good (--update), or ask for the table alone (--report).",
            baseline.origin
        );
        return false;
    }
    let findings = baseline.findings(counted);
    for finding in &findings {
        eprintln!("{finding}");
    }
    let failed = findings.iter().any(baseline::Finding::is_failure);
    if !failed {
        eprintln!("no path takes over {} % more instructions than the baseline", baseline::TOLERANCE_PERCENT);
    }
    !failed
}

/// Builds the program; returns its path, and the folder for callgrind's files.
fn build(place: &Place) -> Result<(PathBuf, PathBuf)> {
    place.build(Build::Release, &["--package", "crossway-benches", "--example", "crossway-hot"])?;
    let kept = place.target.join("instructions");
    fs::create_dir_all(&kept).with_context(|| format!("{} cannot be created", kept.display()))?;
    Ok((place.built(Build::Release, "examples/crossway-hot"), kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_elsewhere_is_no_success() {
        let here = Origin::here().unwrap();
        let counted = [Counted { name: "line".to_owned(), instructions: 7.0 }];
        let baseline = Baseline::of(here.clone(), &counted);
        assert!(judge(&baseline, &here, &counted));
        let text = Baseline::of(here.clone(), &counted).to_json().unwrap().replace("rustc 1.", "rustc 0.");
        assert!(!judge(&Baseline::from_json(&text).unwrap(), &here, &counted));
    }
}

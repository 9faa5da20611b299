//! `cargo xtask compare`: builds what `crossway-compare` needs, and runs it.

use std::process::Command;

use anyhow::{Context, Result};

use crate::place::{Build, Place};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Options for crossway-compare, such as --rounds 3; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Compares; returns false if that failed.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let place = Place::new()?;
    place.build(
        Build::Release,
        &["--bins", "--package", "crossway-gateway", "--package", "crossway-benches"],
    )?;
    let status = Command::new(place.built(Build::Release, "crossway-compare"))
        .arg("--installed")
        .arg(place.target.join("compare"))
        .args(&options.options)
        .current_dir(&place.root)
        .status()
        .context("crossway-compare cannot be started")?;
    Ok(status.success())
}

//! The checks of interop/deploy, which need no package of Python.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::Place;

/// What to check with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Try this crossway binary, rather than build one.
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,
    /// Options of the check itself.
    #[arg(last = true, value_name = "OPTIONS")]
    more: Vec<String>,
}

/// Runs a check; false if something is not as it should be.
pub(super) fn run(name: &str, options: &Options) -> Result<bool> {
    let place = Place::new()?;
    let mut check = Command::new("python3");
    // No compiled files beside the scripts.
    check.arg("-B").arg(place.root.join("interop/deploy").join(name));
    check.arg("--crossway").arg(place.crossway(options.crossway.as_deref())?);
    check.args(&options.more).current_dir(&place.root);
    Ok(check.status().context("python3 is needed, and cannot be started")?.success())
}

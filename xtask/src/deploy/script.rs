//! The checks of interop/deploy.

use std::path::{Path, PathBuf};
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
pub(super) fn run(python: &Path, name: &str, options: &Options) -> Result<bool> {
    run_with(&Place::new()?, python, name, &[], options)
}

/// The same, with what else it has to be told: flags, each with a path.
pub(super) fn run_with(
    place: &Place,
    python: &Path,
    name: &str,
    paths: &[(&str, &Path)],
    options: &Options,
) -> Result<bool> {
    let mut check = Command::new(python);
    // No compiled files beside the scripts.
    check.arg("-B").arg(place.root.join("interop/deploy").join(name));
    check.arg("--crossway").arg(place.crossway(options.crossway.as_deref())?);
    for (flag, path) in paths {
        check.arg(flag).arg(path);
    }
    check.args(&options.more).current_dir(&place.root);
    Ok(check
        .status()
        .with_context(|| format!("{} is needed, and cannot be started", python.display()))?
        .success())
}

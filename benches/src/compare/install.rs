//! Installs the other bridges, at pinned versions.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use super::plan::Place;

/// The copy of the pinned list that marks a complete installation.
const STAMP: &str = "installed-from";

/// The version of the package on crates.io.
const MCP_PROXY: &str = "0.6.0";

/// fastmcp 4.1.6 requires a certifi that PyPI did not have then: it is installed over 4.1.0 without dependencies.
const OVER_FASTMCP: [&str; 2] = ["fastmcp==4.1.6", "fastmcp-slim==4.1.6"];

/// Installs everything that is missing or outdated.
pub(crate) fn everything(place: &Place) -> anyhow::Result<()> {
    npm(place)?;
    python(place, "mcp-proxy", &[])?;
    python(place, "fastmcp", &OVER_FASTMCP)?;
    python(place, "mcpo", &[])?;
    cargo(place)
}

fn npm(place: &Place) -> anyhow::Result<()> {
    let dir = place.installed.join("npm");
    let lock = fs::read_to_string(place.lists.join("package-lock.json"))
        .context("benches/compare/package-lock.json")?;
    if is_current(&dir, &lock) {
        return Ok(());
    }
    say("from npm: Node 24, supergateway, mcp-proxy, mcp-remote");
    start_afresh(&dir)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(place.lists.join(name), dir.join(name))
            .with_context(|| format!("benches/compare/{name}"))?;
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&dir);
    succeed(&mut command, "npm, which comes with Node.js,")?;
    finish(&dir, &lock)
}

fn python(place: &Place, name: &str, over: &[&str]) -> anyhow::Result<()> {
    let dir = place.installed.join(format!("py-{name}"));
    let list = place.lists.join(format!("requirements-{name}.txt"));
    let mut pinned = fs::read_to_string(&list).with_context(|| format!("{}", list.display()))?;
    pinned.extend(over.iter().map(|pin| format!("{pin}\n")));
    if is_current(&dir, &pinned) {
        return Ok(());
    }
    say(&format!("from PyPI: {name}"));
    start_afresh(&dir)?;
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&dir), "python3, with its venv module,")?;
    let pip = |words: &[&str]| {
        let mut command = Command::new(dir.join("bin/python"));
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(words);
        command
    };
    succeed(pip(&["--requirement"]).arg(&list), "pip")?;
    if !over.is_empty() {
        succeed(pip(&["--no-deps"]).args(over), "pip")?;
    }
    finish(&dir, &pinned)
}

fn cargo(place: &Place) -> anyhow::Result<()> {
    let dir = place.installed.join("cargo");
    if is_current(&dir, MCP_PROXY) {
        return Ok(());
    }
    say(&format!("from crates.io: mcp-proxy {MCP_PROXY}, which is built"));
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be created", dir.display()))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "install",
        "--quiet",
        "--locked",
        "--force",
        "--version",
        MCP_PROXY,
        "mcp-proxy",
        "--root",
    ]);
    command.arg(&dir).arg("--target-dir").arg(place.installed.join("cargo-build"));
    succeed(&mut command, "cargo")?;
    finish(&dir, MCP_PROXY)
}

fn say(what: &str) {
    use std::io::Write as _;
    // A closed stderr is no error.
    let _ = writeln!(std::io::stderr(), "installing {what}");
}

fn is_current(dir: &Path, pinned: &str) -> bool {
    fs::read_to_string(dir.join(STAMP)).is_ok_and(|installed| installed == pinned)
}

fn start_afresh(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("{} cannot be removed", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("{} cannot be created", dir.display()))
}

fn finish(dir: &Path, pinned: &str) -> anyhow::Result<()> {
    fs::write(dir.join(STAMP), pinned).with_context(|| format!("{} cannot be written", dir.display()))
}

fn succeed(command: &mut Command, what: &str) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{what} is needed, and cannot be started"))?;
    if !status.success() {
        bail!("{what} failed ({status}): {command:?}");
    }
    Ok(())
}

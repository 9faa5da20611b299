//! `cargo xtask compose`: starts the services of examples/compose as processes of this machine.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::script::{Options, Script};
use crate::place::Place;
use crate::{interop, open_webui};

/// Installs third-party programs, and runs the check; returns false if it fails.
pub(super) fn run(place: &Place, options: &Options) -> Result<bool> {
    let scripts = place.root.join("interop");
    let dir = place.target.join("openwebui");
    open_webui::install(&scripts.join("openwebui"), &dir)?;
    let servers = interop::install(place)?;
    // The packages are made for this Python, as Open WebUI loads them.
    let python = open_webui::python(&dir);
    let packages = place.target.join("compose");
    place.python(&python, &packages, &scripts.join("deploy/requirements-compose.txt"), |_| Ok(()))?;
    let logs = place.target.join("compose-logs");
    // The server that compose's config starts with `uvx`.
    let has_it = |dir: &&PathBuf| dir.join("bin/mcp-server-time").exists();
    let servers = servers.python.iter().find(has_it).context("mcp-server-time is not installed")?;
    let paths = [("--python-servers", servers.as_path()), ("--packages", &packages), ("--logs", &logs)];
    Script { python: &python, paths: &paths, ..Script::plain("compose.py") }.run(place, options)
}

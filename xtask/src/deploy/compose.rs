//! `cargo xtask compose`: what examples/compose starts, as processes of this machine.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::script::{Options, Script};
use crate::place::Place;
use crate::{interop, open_webui};

/// Installs what is not ours, and checks; false if something is not as it should be.
pub(super) fn run(place: &Place, options: &Options) -> Result<bool> {
    let scripts = place.root.join("interop");
    let dir = place.target.join("openwebui");
    open_webui::install(&scripts.join("openwebui"), &dir)?;
    let servers = interop::install(place)?;
    // Made by the same Python, for they are loaded into Open WebUI.
    let python = open_webui::python(&dir);
    let packages = place.target.join("compose");
    place.python(&python, &packages, &scripts.join("deploy/requirements-compose.txt"), |_| Ok(()))?;
    let logs = place.target.join("compose-logs");
    // What `uvx` starts in compose's config.
    let has_it = |dir: &&PathBuf| dir.join("bin/mcp-server-time").exists();
    let servers = servers.python.iter().find(has_it).context("mcp-server-time is not installed")?;
    let paths = [("--python-servers", servers.as_path()), ("--packages", &packages), ("--logs", &logs)];
    Script { python: &python, paths: &paths, ..Script::plain("compose.py") }.run(place, options)
}

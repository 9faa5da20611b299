//! Installs pinned versions of third-party programs into folders below `target`, once.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The copy of a pinned list that an installation leaves when it is complete.
const STAMP: &str = "installed-from";

/// Whether a folder has exactly what this list says.
pub(crate) fn is_current(dir: &Path, pinned: &str) -> bool {
    fs::read_to_string(dir.join(STAMP)).is_ok_and(|installed| installed == pinned)
}

/// Makes an empty folder.
pub(crate) fn start_afresh(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("{} cannot be removed", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("{} cannot be created", dir.display()))
}

/// Records that a folder has everything of this list.
pub(crate) fn finish(dir: &Path, pinned: &str) -> Result<()> {
    fs::write(dir.join(STAMP), pinned).with_context(|| format!("{} cannot be written", dir.display()))
}

/// Runs a command that has to succeed; `what` names it in the error.
pub(crate) fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what} is needed, and cannot be started"))?;
    if !status.success() {
        bail!("{what} failed ({status}): {command:?}");
    }
    Ok(())
}

//! The checks of interop/deploy.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::place::{Build, Place};

/// What to check with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Try this crossway binary, rather than build one.
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,
    /// Options of the check itself; `-- --help` lists them.
    #[arg(last = true, value_name = "OPTIONS")]
    more: Vec<String>,
}

/// One of the checks in interop/deploy.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// The name of the script's file.
    pub(super) name: &'a str,
    /// The Python that runs it.
    pub(super) python: &'a Path,
    /// How to build crossway for it.
    pub(super) build: Build,
    /// Flags, each with a path.
    pub(super) paths: &'a [(&'a str, &'a Path)],
}

impl<'a> Script<'a> {
    /// A check that runs on any Python 3.10, with a debug build.
    pub(super) fn plain(name: &'a str) -> Self {
        Self { name, python: Path::new("python3"), build: Build::Debug, paths: &[] }
    }

    /// Runs the check; returns false if it fails.
    pub(super) fn run(&self, place: &Place, options: &Options) -> Result<bool> {
        let mut check = Command::new(self.python);
        // No compiled files beside the scripts.
        check.arg("-B").arg(place.root.join("interop/deploy").join(self.name));
        check.arg("--crossway").arg(place.crossway(options.crossway.as_deref(), self.build)?);
        for (flag, path) in self.paths {
            check.arg(flag).arg(path);
        }
        check.args(&options.more).current_dir(&place.root);
        let status = check.status();
        Ok(status
            .with_context(|| format!("{} is needed, and cannot be started", self.python.display()))?
            .success())
    }
}

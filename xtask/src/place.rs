//! The paths of the repository, and what is built and installed there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::install;

/// The build profile of crossway.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Build {
    /// The profile of the tests, which have built most of it already.
    Debug,
    /// As released to users.
    Release,
}

/// The paths of the repository.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no folder above it")?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root: root.to_owned(), target })
    }

    /// Makes a Python environment with the packages of `requirements`, using `base`. `finish` runs once in a new environment. Returns its
    /// Python.
    pub(crate) fn python(
        &self,
        base: &Path,
        dir: &Path,
        requirements: &Path,
        finish: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let python = dir.join("bin/python");
        let pinned =
            fs::read_to_string(requirements).with_context(|| format!("{}", requirements.display()))?;
        if install::is_current(dir, &pinned) {
            return Ok(python);
        }
        let shown = requirements.strip_prefix(&self.root).unwrap_or(requirements);
        eprintln!("installing from PyPI, as {} says", shown.display());
        install::start_afresh(dir)?;
        let mut venv = Command::new(base);
        install::succeed(venv.args(["-m", "venv"]).arg(dir), "python3, with its venv module,")?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .arg("--requirement")
            .arg(requirements);
        install::succeed(&mut pip, "pip")?;
        finish(&python)?;
        install::finish(dir, &pinned)?;
        Ok(python)
    }

    /// The crossway to test: the given one, or one that is built.
    pub(crate) fn crossway(&self, given: Option<&Path>, build: Build) -> Result<PathBuf> {
        match given {
            Some(path) => path.canonicalize().with_context(|| format!("{} is not there", path.display())),
            None => {
                self.build(build, &["--locked", "--package", "crossway-gateway"])?;
                Ok(self.built(build, "crossway"))
            }
        }
    }

    /// Builds packages, or parts of them.
    pub(crate) fn build(&self, build: Build, what: &[&str]) -> Result<()> {
        eprintln!("building {}", what.join(" "));
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["build", "--quiet"]).args(what).current_dir(&self.root);
        if matches!(build, Build::Release) {
            command.arg("--release");
        }
        install::succeed(&mut command, "cargo build")
    }

    /// The path of a built program.
    pub(crate) fn built(&self, build: Build, name: &str) -> PathBuf {
        let folder = match build {
            Build::Debug => "debug",
            Build::Release => "release",
        };
        self.target.join(folder).join(name).with_extension(std::env::consts::EXE_EXTENSION)
    }
}

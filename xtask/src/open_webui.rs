//! `cargo xtask openwebui`: runs a real Open WebUI in front of Crossway, with two users of two tenants.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::install::{finish, is_current, start_afresh, succeed};
use crate::place::{Build, Place};

/// Installs Open WebUI's packages: pip cannot, as it has no overrides.
const UV: &str = "uv==0.13.9";
/// The Python versions that Open WebUI supports.
const PYTHON: &str = ">=3.11,<3.13";

/// Which binary, and whether a browser is to look.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Try this crossway binary, rather than build one.
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// Open a chat, the page at /docs and pages that speak MCP in Chromium, and check what they show.
    ///
    /// Needs chromium and chromedriver; Debian has them as chromium and chromium-driver.
    #[arg(long)]
    browser: bool,

    /// Do so, and put the picture of the page into docs/img for the guide.
    #[arg(long)]
    picture: bool,
}

/// Installs, starts and checks everything; returns false if a check failed.
pub(crate) fn run(options: Options) -> Result<bool> {
    let started = Instant::now();
    let place = Place::new()?;
    let dir = place.target.join("openwebui");
    let scripts = place.root.join("interop/openwebui");
    install(&scripts, &dir)?;
    let crossway = place.crossway(options.crossway.as_deref(), Build::Debug)?;
    let installed = started.elapsed().as_secs();
    let mut command = Command::new(python(&dir));
    command.arg(scripts.join("run.py")).arg("--crossway").arg(crossway).arg("--dir").arg(dir.join("run"));
    if options.picture {
        command.arg("--picture").arg(place.root.join("docs/img/openwebui-chat.png"));
    } else if options.browser {
        command.arg("--picture").arg(dir.join("chat.png"));
    }
    let status = command.status().context("the checks cannot be started")?;
    ensure!(status.code().is_some(), "the checks were ended by a signal");
    eprintln!("{} s, of which {installed} s to install and build", started.elapsed().as_secs());
    Ok(status.success())
}

/// The Python of the Open WebUI in this folder.
pub(crate) fn python(dir: &Path) -> PathBuf {
    dir.join("env/bin/python")
}

/// Installs the pinned packages, unless they are already there.
pub(crate) fn install(scripts: &Path, dir: &Path) -> Result<()> {
    let list = scripts.join("requirements.txt");
    let pinned = fs::read_to_string(&list).with_context(|| format!("{}", list.display()))?;
    if is_current(dir, &pinned) {
        return Ok(());
    }
    eprintln!(
        "installing from PyPI, as interop/openwebui/requirements.txt says: Open WebUI, without torch (1.4 GB)"
    );
    start_afresh(dir)?;
    let uv = dir.join("uv");
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&uv), "python3, with its venv module,")?;
    let mut pip = Command::new(uv.join("bin/python"));
    succeed(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]), "pip")?;
    // A Python that uv downloads would come from a host that is no package registry.
    let uv = |arguments: &[&str]| {
        let mut command = Command::new(uv.join("bin/uv"));
        command.args(arguments).args(["--quiet", "--no-python-downloads"]);
        command
    };
    let mut venv = uv(&["venv", "--python", PYTHON]);
    succeed(venv.arg(dir.join("env")), "Python 3.11 or 3.12")?;
    // The list is complete: packages that are not in it (torch) are not wanted.
    let mut packages = uv(&["pip", "install", "--no-deps"]);
    succeed(packages.arg("--requirement").arg(&list).arg("--python").arg(python(dir)), "uv")?;
    finish(dir, &pinned)
}

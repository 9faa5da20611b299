//! The command line of the soak.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use clap::Parser;

use super::chart::{CHARTS, draw};
use super::events::Events;
use super::page::page;
use super::plan::Plan;
use super::record::{Record, Tick};
use super::site::{Operations, Shared, Site};
use super::turn::Turn;
use crate::descriptors;
use crate::limits::SPARE_DESCRIPTORS;
use crate::procfs::{Sample, Watch};
use crate::program::sibling;
use crate::system::System;

/// The folders of records, the page and its charts, relative to the root of the repository.
const RESULTS: &str = "benches/results";
const PAGE: &str = "docs/soak.md";
const IMAGES: &str = "docs/img";

/// Let thousands of users of some tens of tenants use `crossway serve` as Open WebUI does, while servers die, secrets change and
/// configs are replaced, and check every answer.
///
/// Starts everything itself, on 127.0.0.1 with free ports. Counts what is lost, wrong, or of another tenant; one of them is enough
/// for exit code 1, and so is memory that grows.
#[derive(Debug, Parser)]
#[command(name = "crossway-soak", version)]
pub struct Cli {
    /// For how many minutes.
    #[arg(long, default_value_t = 30.0, value_name = "MINUTES")]
    minutes: f64,

    /// How many users.
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: u32,

    /// How many tenants they belong to.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=200))]
    tenants: u32,

    /// How many seconds pass between two turns of a user, on average.
    #[arg(long, default_value_t = 60.0, value_name = "SECS")]
    pause: f64,

    /// The crossway to try [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    crossway: Option<PathBuf>,

    /// The echo server [default: crossway-echo beside this program].
    #[arg(long, value_name = "PATH")]
    echo: Option<PathBuf>,

    /// Where the record goes.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// A folder to work in, which is kept, instead of one that is not.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,

    /// Make no soak: make docs/soak.md and its charts of this record.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    render: Option<PathBuf>,
}

impl Cli {
    /// Runs the soak, and reports its results.
    ///
    /// # Errors
    ///
    /// When a program is missing or does not start, or the record can't be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(file) = &self.render {
            return render(file);
        }
        ensure!(self.minutes > 0.0 && self.minutes <= 1e5, "--minutes is to be above 0");
        ensure!(self.pause > 0.0 && self.pause <= 1e5, "--pause is to be above 0");
        let record = self.soak()?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", serde_json::to_string_pretty(&record.counts)?)?;
        for (fault, times) in &record.faults {
            writeln!(out, "{times} times: {fault}")?;
        }
        if let Some(broke) = &record.broke {
            writeln!(out, "it broke: {broke}")?;
        }
        if let Some((before, after)) = record.memory() {
            writeln!(out, "memory: {:.1} MiB, and {:.1} at the end", before / 1048576.0, after / 1048576.0)?;
        }
        writeln!(out, "audit lines: {}, secrets in logs: {}", record.audited, record.leaks)?;
        if let Some(file) = &self.json {
            fs::write(file, serde_json::to_string(&record)? + "\n")
                .with_context(|| format!("could not write {}", file.display()))?;
            writeln!(out, "recorded in {}", file.display())?;
        }
        Ok(if record.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn soak(&self) -> anyhow::Result<Record> {
        let beside = |given: &Option<PathBuf>, name| given.clone().map_or_else(|| sibling(name), Ok);
        let crossway = beside(&self.crossway, "crossway")?;
        let echo = fs::canonicalize(beside(&self.echo, "crossway-echo")?)?;
        let mut system = System::look(Some(&crossway));
        // At worst, a connection and a stream for each user.
        descriptors::raise_limit(u64::from(self.users) * 2 + 4 * SPARE_DESCRIPTORS);
        let folder = tempfile::tempdir()?;
        let folder = match &self.folder {
            Some(folder) => {
                fs::create_dir_all(folder)?;
                folder.clone()
            }
            None => folder.path().to_owned(),
        };
        let plan = Plan { users: self.users as usize, tenants: self.tenants as usize };
        let (site, shared) = Site::start(plan, &crossway, &echo, &folder)?;
        let (operations, shared) = (site.operations(), Arc::new(shared));
        let is_over = Arc::new(AtomicBool::new(false));
        let events = Events::new(site, Arc::clone(&shared), Arc::clone(&is_over));
        let watched = Arc::clone(&is_over);
        let events = thread::Builder::new().name("events".to_owned()).spawn(move || {
            let found = events.run();
            // Without events the soak has no purpose.
            watched.store(true, Ordering::Relaxed);
            found
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (ticks, mut broke) = runtime.block_on(self.use_it(operations, &shared, &is_over))?;
        is_over.store(true, Ordering::Relaxed);
        let (mut site, events, failed) = events.join().map_err(|_| anyhow!("the events broke off"))?;
        for error in failed.into_iter().chain(site.end().err()) {
            broke.get_or_insert(format!("{error:#}"));
        }
        let (audited, leaks) = site.logs()?;
        system.look_again();
        let tally = shared.tally();
        Ok(Record {
            system,
            command: format!(
                "target/release/crossway-soak --minutes {} --users {} --tenants {} --pause {}",
                self.minutes, self.users, self.tenants, self.pause
            ),
            users: plan.users,
            tenants: plan.tenants,
            seconds: ticks.last().map_or(0.0, |tick| tick.at),
            counts: tally.counts.clone(),
            faults: tally.faults.clone(),
            audited,
            leaks,
            broke,
            ticks,
            events,
        })
    }

    /// Runs the users until the time is over.
    async fn use_it(
        &self,
        operations: Operations,
        shared: &Arc<Shared>,
        is_over: &Arc<AtomicBool>,
    ) -> anyhow::Result<(Vec<Tick>, Option<String>)> {
        let pause = Duration::from_secs_f64(self.pause);
        let users: Vec<_> = (0..shared.plan.users)
            .map(|number| tokio::spawn(user(Arc::clone(shared), number, pause, Arc::clone(is_over))))
            .collect();
        let start = Instant::now();
        let time = Duration::from_secs_f64(self.minutes * 60.0);
        let tick = Duration::from_secs(10).min(time / 12);
        let mut ticker = Ticker::new(operations, Arc::clone(shared), start);
        let (mut ticks, mut broke) = (Vec::new(), None);
        while start.elapsed() < time && !is_over.load(Ordering::Relaxed) {
            tokio::time::sleep(tick).await;
            match ticker.tick().await {
                Ok(tick) => ticks.push(tick),
                Err(error) => {
                    broke = Some(format!("{error:#}"));
                    break;
                }
            }
        }
        // Turns in progress end, and no others begin.
        is_over.store(true, Ordering::Relaxed);
        for user in users {
            user.await.context("a user broke off")?;
        }
        Ok((ticks, broke))
    }
}

/// One user: a turn, a pause, a turn.
async fn user(shared: Arc<Shared>, number: usize, pause: Duration, is_over: Arc<AtomicBool>) {
    let user = shared.plan.user(number);
    loop {
        let until = Instant::now() + pause.mul_f64(2.0 * fastrand::f64());
        while Instant::now() < until {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500).min(until - Instant::now())).await;
        }
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        if let Err(fault) = Turn::new(&shared, user).run().await {
            shared.tally().fault(&fault);
        }
    }
}

/// Reads the gateway's figures at intervals.
struct Ticker {
    operations: Operations,
    shared: Arc<Shared>,
    start: Instant,
    last: (f64, Sample),
    before: (u64, u64),
}

impl Ticker {
    fn new(operations: Operations, shared: Arc<Shared>, start: Instant) -> Self {
        Self { operations, shared, start, last: (0.0, Sample::default()), before: (0, 0) }
    }

    async fn tick(&mut self) -> anyhow::Result<Tick> {
        let operations = self.operations;
        // Not on the users' thread.
        let looked = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            let watch = Watch {
                pids: vec![operations.pid],
                exclude_names: vec!["crossway-echo".to_owned()],
                exclude_pids: Vec::new(),
            };
            let sessions = operations.metric(r#"crossway_sessions{face="streamable-http"}"#)?;
            Ok((watch.memory()?, watch.sample()?, sessions, operations.descriptors()))
        });
        let (memory, sample, sessions, descriptors) = looked.await?.context("the gateway does not answer")?;
        let at = self.start.elapsed().as_secs_f64();
        let mut tally = self.shared.tally();
        let (calls, lists) = (std::mem::take(&mut tally.calls), std::mem::take(&mut tally.lists));
        let now = (tally.counts.turns, tally.counts.right);
        drop(tally);
        let seconds = at - self.last.0;
        let (calls, lists) = (calls.latency(), lists.latency());
        let tick = Tick {
            at,
            resident_bytes: memory.resident_bytes,
            cpu: sample.seconds_since(&self.last.1) / seconds,
            descriptors,
            sessions,
            turns_per_second: (now.0 - self.before.0) as f64 / seconds,
            calls_per_second: (now.1 - self.before.1) as f64 / seconds,
            call_p50: calls.p50,
            call_p99: calls.p99,
            list_p50: lists.p50,
            list_p99: lists.p99,
        };
        self.last = (at, sample);
        self.before = now;
        Ok(tick)
    }
}

/// Writes the page and its charts.
fn render(file: &Path) -> anyhow::Result<ExitCode> {
    let text = fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let record: Record = serde_json::from_str(&text)?;
    for (name, chart) in &CHARTS {
        fs::write(Path::new(IMAGES).join(name), draw(chart, &record))?;
    }
    fs::write(PAGE, page(&record, &file.to_string_lossy()))?;
    writeln!(std::io::stdout(), "{PAGE} is made of {}, as records in {RESULTS} are", file.display())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

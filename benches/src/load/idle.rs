//! Holds many idle sessions: how fast they are set up, and how much memory they take.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use super::client::Client;
use super::progress::Progress;
use super::report::{line, mib, transport_name, write_counts};
use super::session::Session;
use super::tally::{Counts, Durations, Latency, Tally};
use super::work::{LoadError, Work};
use crate::descriptors;
use crate::limits::{PROGRESS_TICK, SETUP_CONCURRENCY, SPARE_DESCRIPTORS};
use crate::procfs::Memory;

/// How long sessions are held.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// The time between the last set-up and reading the memory.
    pub hold: Duration,
}

/// The cost of idle sessions.
#[derive(Debug, Clone, Serialize)]
pub struct IdleReport {
    /// The transport.
    pub transport: &'static str,
    /// The requested revision.
    pub revision: &'static str,
    /// The number of requested sessions.
    pub wanted: usize,
    /// The number of sessions held.
    pub sessions: usize,
    /// Whether each had its stream of server messages open.
    pub with_stream: bool,
    /// Set-ups per second.
    pub set_ups_per_second: f64,
    /// The time of a set-up, in microseconds.
    pub set_up_us: Latency,
    /// Sessions that could not be set up or ended.
    pub counts: Counts,
    /// Some of the errors, in words.
    pub failures: Vec<String>,
    /// The memory of the watched processes before the first session.
    pub before: Memory,
    /// Their memory with all sessions open.
    pub held: Memory,
    /// Their memory when all sessions had ended.
    pub after: Memory,
    /// Memory per session, in bytes.
    pub bytes_per_session: f64,
}

/// Sets sessions up, holds them and ends them, and reads the memory of the watched processes meanwhile.
///
/// # Errors
///
/// When no session can be set up, or the watched processes don't run.
pub fn hold_sessions(work: &Work, idle: Idle) -> Result<IdleReport, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(LoadError::Start)?.block_on(hold(work, idle))
}

async fn hold(work: &Work, idle: Idle) -> Result<IdleReport, LoadError> {
    let sessions = affordable(work);
    let memory = || if work.watch.is_empty() { Ok(Memory::default()) } else { work.watch.memory() };
    let before = memory().map_err(LoadError::Watch)?;
    let bar = Progress::new(work.progress, "set-up", sessions as u64);
    let start = Instant::now();
    let (held, durations, mut tally) = open_all(work, sessions, &bar).await?;
    let set_up_time = start.elapsed();
    drop(bar);
    tokio::time::sleep(idle.hold).await;
    let with_all = memory().map_err(LoadError::Watch)?;
    let count = held.len();
    tally.add(close_all(work, held).await);
    tokio::time::sleep(idle.hold).await;
    let after = memory().unwrap_or_default();
    let grown = with_all.resident_bytes as f64 - before.resident_bytes as f64;
    Ok(IdleReport {
        transport: transport_name(work),
        revision: work.revision.as_str(),
        wanted: work.sessions,
        sessions: count,
        with_stream: work.with_get_stream,
        set_ups_per_second: count as f64 / set_up_time.as_secs_f64(),
        set_up_us: durations.latency(),
        counts: tally.counts,
        failures: tally.quoted,
        before,
        held: with_all,
        after,
        bytes_per_session: grown / count.max(1) as f64,
    })
}

/// The number of sessions that descriptors allow.
fn affordable(work: &Work) -> usize {
    let per_session = work.descriptors_per_session();
    let spare = SPARE_DESCRIPTORS + 4 * SETUP_CONCURRENCY as u64;
    let limit = descriptors::raise_limit(work.sessions as u64 * per_session + spare);
    match limit.saturating_sub(spare).checked_div(per_session) {
        Some(most) => work.sessions.min(usize::try_from(most).unwrap_or(usize::MAX)),
        None => work.sessions,
    }
}

async fn open_all(
    work: &Work,
    count: usize,
    bar: &Progress,
) -> Result<(Vec<Session>, Durations, Tally), LoadError> {
    // Each worker sets up its share over one connection.
    let workers = SETUP_CONCURRENCY.min(count);
    let opened = std::cell::Cell::new(0_u64);
    let opened = &opened;
    let worker = |worker: usize| async move {
        let mut control: Option<Client> = None;
        let (mut sessions, mut durations, mut tally) = (Vec::new(), Durations::default(), Tally::default());
        for _ in (worker..count).step_by(workers) {
            let start = Instant::now();
            match Session::open(work, &mut control).await {
                Ok(session) => {
                    durations.record(start.elapsed());
                    sessions.push(session);
                }
                Err(fault) => {
                    tally.fault(&fault);
                    control = None;
                }
            }
            opened.set(opened.get() + 1);
        }
        (sessions, durations, tally)
    };
    let all = stream::iter(0..workers).map(worker).buffer_unordered(workers.max(1)).collect::<Vec<_>>();
    tokio::pin!(all);
    let parts = loop {
        tokio::select! {
            parts = &mut all => break parts,
            () = tokio::time::sleep(PROGRESS_TICK) => bar.at(opened.get()),
        }
    };
    let (mut sessions, mut durations, mut tally) = (Vec::new(), Durations::default(), Tally::default());
    for (some, times, other) in parts {
        sessions.extend(some);
        durations.add(&times);
        tally.add(other);
    }
    match (sessions.is_empty(), tally.quoted.first()) {
        (true, Some(why)) => Err(LoadError::SetUp { number: 1, of: count, why: why.clone() }),
        _ => Ok((sessions, durations, tally)),
    }
}

async fn close_all(work: &Work, sessions: Vec<Session>) -> Tally {
    let workers = SETUP_CONCURRENCY.min(sessions.len()).max(1);
    let mut shares: Vec<Vec<Session>> = Vec::new();
    shares.resize_with(workers, Vec::new);
    for (index, session) in sessions.into_iter().enumerate() {
        shares[index % workers].push(session);
    }
    let worker = |share: Vec<Session>| async move {
        let (mut control, mut tally) = (None, Tally::default());
        for session in share {
            tally.strays(session.strays());
            if let Err(fault) = session.close(work, &mut control).await {
                tally.fault(&fault);
                control = None;
            }
        }
        tally
    };
    let mut all = Tally::default();
    for tally in stream::iter(shares).map(worker).buffer_unordered(workers).collect::<Vec<_>>().await {
        all.add(tally);
    }
    all
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = if self.with_stream { ", each with a GET stream" } else { "" };
        line(
            f,
            "work",
            format_args!("{} {}, {} idle sessions{stream}", self.transport, self.revision, self.sessions),
        )?;
        if self.sessions < self.wanted {
            line(f, "", format_args!("of {} wanted: see the failures, or raise `ulimit -n`", self.wanted))?;
        }
        write_counts(f, self.counts, &self.failures)?;
        line(f, "set-up", format_args!("{:.0}/s  {}", self.set_ups_per_second, self.set_up_us))?;
        if self.held.processes == 0 {
            return Ok(());
        }
        let [before, held, after] =
            [self.before, self.held, self.after].map(|memory| mib(memory.resident_bytes));
        line(
            f,
            "memory",
            format_args!(
                "{before:.1} MiB before, {held:.1} with all, {after:.1} after: {:.1} KiB per session",
                self.bytes_per_session / 1024.0
            ),
        )
    }
}

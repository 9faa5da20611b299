//! Measures the rate at which sessions are set up and ended.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use super::client::Client;
use super::errand::{Errand, tool_pages, turn};
use super::progress::Progress;
use super::report::{ProcessReport, line, transport_name, write_counts};
use super::session::{Session, Slot};
use super::tally::{Counts, Durations, Latency, Tally};
use super::work::{LoadError, Work};
use crate::descriptors;
use crate::limits::{MAX_FAULTS_IN_A_ROW, PAUSE_AFTER_FAULT, PROGRESS_TICK, SPARE_DESCRIPTORS};
use crate::procfs::Sample;

/// The cost of set-ups.
#[derive(Debug, Clone, Serialize)]
pub struct SetupReport {
    /// The transport.
    pub transport: &'static str,
    /// The requested revision.
    pub revision: &'static str,
    /// The number of sessions that were set up or ended at the same time.
    pub concurrency: usize,
    /// Whether each session opened its own connections.
    pub fresh_connections: bool,
    /// The measured time, in seconds.
    pub seconds: f64,
    /// The number of sessions set up and ended in this time.
    pub sessions: u64,
    /// Sessions per second.
    pub sessions_per_second: f64,
    /// Sessions that could not be set up or ended.
    pub counts: Counts,
    /// Some of the errors, in words.
    pub failures: Vec<String>,
    /// The time of a set-up, in microseconds.
    pub set_up_us: Latency,
    /// The time of an end, in microseconds.
    pub end_us: Latency,
    /// The resources that the watched processes used; a `call` there is a session.
    pub processes: Option<ProcessReport>,
    /// The number of requests to the upstream server per session, if that was counted.
    pub server_requests: Option<f64>,
}

/// Sets sessions up and ends them, `work.sessions` at a time, for some time.
///
/// # Errors
///
/// When no session can be set up, or the watched processes don't run.
pub fn repeat_setups(work: &Work, time: Duration, fresh_connections: bool) -> Result<SetupReport, LoadError> {
    repeat(work, time, fresh_connections, Errand::SetUp)
}

/// Repeats an errand like [`repeat_setups`]; for a turn and a list, the time of a set-up is the time up to the last answer.
///
/// # Errors
///
/// As [`repeat_setups`].
pub fn repeat(work: &Work, time: Duration, fresh: bool, errand: Errand) -> Result<SetupReport, LoadError> {
    descriptors::raise_limit(work.sessions as u64 * (work.descriptors_per_session() + 2) + SPARE_DESCRIPTORS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(LoadError::Start)?.block_on(repeat_in(work, time, fresh, errand))
}

#[derive(Default)]
struct Seen {
    set_up: Durations,
    end: Durations,
    tally: Tally,
}

async fn repeat_in(
    work: &Work,
    time: Duration,
    fresh: bool,
    errand: Errand,
) -> Result<SetupReport, LoadError> {
    let bar = Progress::of_time(work.progress, "set-ups", time);
    let before = if work.watch.is_empty() {
        Sample::default()
    } else {
        work.watch.sample().map_err(LoadError::Watch)?
    };
    let start = Instant::now();
    let workers = (0..work.sessions).map(|_| worker(work, start + time, fresh, errand));
    let all = stream::iter(workers).buffer_unordered(work.sessions.max(1)).collect::<Vec<_>>();
    tokio::pin!(all);
    let parts = loop {
        tokio::select! {
            parts = &mut all => break parts,
            () = tokio::time::sleep(PROGRESS_TICK) => bar.at_time(start.elapsed()),
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let mut seen = Seen::default();
    for part in parts {
        seen.set_up.add(&part.set_up);
        seen.end.add(&part.end);
        seen.tally.add(part.tally);
    }
    let sessions = seen.tally.calls;
    if let (0, Some(why)) = (sessions, seen.tally.quoted.first()) {
        return Err(LoadError::SetUp { number: 1, of: work.sessions, why: why.clone() });
    }
    let processes = if work.watch.is_empty() {
        None
    } else {
        let cpu_seconds = work.watch.sample().map_err(LoadError::Watch)?.seconds_since(&before);
        let memory = work.watch.memory().map_err(LoadError::Watch)?;
        Some(ProcessReport {
            cpu_seconds,
            cpu_us_per_call: cpu_seconds * 1e6 / sessions.max(1) as f64,
            memory,
        })
    };
    Ok(SetupReport {
        transport: transport_name(work),
        revision: work.revision.as_str(),
        concurrency: work.sessions,
        fresh_connections: fresh,
        seconds,
        sessions,
        sessions_per_second: sessions as f64 / seconds,
        counts: seen.tally.counts,
        failures: seen.tally.quoted,
        set_up_us: seen.set_up.latency(),
        end_us: seen.end.latency(),
        processes,
        server_requests: None,
    })
}

async fn worker(work: &Work, until: Instant, fresh: bool, errand: Errand) -> Seen {
    let mut seen = Seen::default();
    let mut control: Option<Client> = None;
    let mut listing: Option<Slot> = None;
    let mut faults_in_a_row = 0;
    // At least once.
    loop {
        if fresh {
            control = None;
        }
        let done = match errand {
            Errand::SetUp => once(work, &mut control).await,
            Errand::Turn => turn(work, &mut control, false).await,
            Errand::PacedTurn => turn(work, &mut control, true).await,
            Errand::List => list(work, &mut listing).await,
        };
        match done {
            Ok((set_up, end)) => {
                seen.set_up.record(set_up);
                seen.end.record(end);
                seen.tally.calls += 1;
                faults_in_a_row = 0;
            }
            Err(fault) => {
                seen.tally.fault(&fault);
                control = None;
                listing = None;
                faults_in_a_row += 1;
                tokio::time::sleep(PAUSE_AFTER_FAULT).await;
            }
        }
        if Instant::now() >= until || faults_in_a_row >= MAX_FAULTS_IN_A_ROW {
            return seen;
        }
    }
}

async fn list(work: &Work, kept: &mut Option<Slot>) -> Result<(Duration, Duration), super::check::Fault> {
    let slot = match kept {
        Some(slot) => slot,
        None => {
            // The session is not ended: it lasts as long as the server.
            let mut control = None;
            let session = Session::open(work, &mut control).await?;
            kept.insert(session.slot(control))
        }
    };
    let start = Instant::now();
    tool_pages(work, slot).await?;
    Ok((start.elapsed(), Duration::ZERO))
}

async fn once(
    work: &Work,
    control: &mut Option<Client>,
) -> Result<(Duration, Duration), super::check::Fault> {
    let start = Instant::now();
    let session = Session::open(work, control).await?;
    let set_up = start.elapsed();
    session.close(work, control).await?;
    Ok((set_up, start.elapsed() - set_up))
}

impl fmt::Display for SetupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = if self.fresh_connections { "a new connection each" } else { "connections kept" };
        line(
            f,
            "work",
            format_args!(
                "{} {}, {} sessions at a time set up and ended, {connections}",
                self.transport, self.revision, self.concurrency
            ),
        )?;
        line(
            f,
            "sessions",
            format_args!("{} in {:.2} s = {:.0}/s", self.sessions, self.seconds, self.sessions_per_second),
        )?;
        write_counts(f, self.counts, &self.failures)?;
        line(f, "set-up", self.set_up_us)?;
        line(f, "end", self.end_us)?;
        match self.processes {
            Some(used) => line(f, "processor", format_args!("{:.1} us per session", used.cpu_us_per_call)),
            None => Ok(()),
        }
    }
}

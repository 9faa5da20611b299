//! The report of a run, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::tally::{Counts, Latency};
use super::work::{Target, Work};
use crate::procfs::Memory;

/// The resources that the watched processes used while calls were measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ProcessReport {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// User and system time per measured call, in microseconds.
    pub cpu_us_per_call: f64,
    /// Their memory at the end, with all sessions open.
    pub memory: Memory,
}

/// The report of a run of calls.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The transport.
    pub transport: &'static str,
    /// The requested revision.
    pub revision: &'static str,
    /// The number of sessions.
    pub sessions: usize,
    /// The number of calls in flight per session.
    pub concurrency: usize,
    /// The length of each call's text, in bytes.
    pub payload_bytes: usize,
    /// The measured time, in seconds.
    pub seconds: f64,
    /// The number of right answers in this time.
    pub calls: u64,
    /// Right answers per second.
    pub calls_per_second: f64,
    /// The counts of faults.
    pub counts: Counts,
    /// Some of the errors, in words.
    pub failures: Vec<String>,
    /// The time of a measured call, in microseconds.
    pub latency_us: Latency,
    /// The time of a session's set-up, in microseconds.
    pub set_up_us: Latency,
    /// The resources that the watched processes used.
    pub processes: Option<ProcessReport>,
}

impl Report {
    /// Whether there were calls, and every call got its right answer.
    pub fn is_clean(&self) -> bool {
        self.calls > 0 && self.counts.is_clean()
    }
}

/// The name of a transport.
pub(crate) fn transport_name(work: &Work) -> &'static str {
    match work.target {
        Target::StreamableHttp(_) => "streamable-http",
        Target::HttpSse(_) => "http-sse",
        Target::Stdio(_) => "stdio",
        Target::OpenApi(_) => "openapi",
    }
}

/// Bytes in mebibytes.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// One line of a report.
pub(crate) fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<12} {value}")
}

/// The lines about faults.
pub(crate) fn write_counts(f: &mut fmt::Formatter<'_>, counts: Counts, failures: &[String]) -> fmt::Result {
    line(
        f,
        "answers",
        format_args!("{} wrong, {} failed, {} lost", counts.wrong, counts.failed, counts.lost),
    )?;
    failures.iter().try_for_each(|failure| writeln!(f, "  {failure}"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(
            f,
            "work",
            format_args!(
                "{} {}, {} sessions x {} in flight, {} bytes",
                self.transport, self.revision, self.sessions, self.concurrency, self.payload_bytes
            ),
        )?;
        line(
            f,
            "calls",
            format_args!("{} in {:.2} s = {:.0}/s", self.calls, self.seconds, self.calls_per_second),
        )?;
        write_counts(f, self.counts, &self.failures)?;
        line(f, "latency", self.latency_us)?;
        line(f, "set-up", self.set_up_us)?;
        let Some(used) = self.processes else { return Ok(()) };
        let percent = 100.0 * used.cpu_seconds / self.seconds;
        line(
            f,
            "processor",
            format_args!("{:.1} us per call, {percent:.0} % of one core", used.cpu_us_per_call),
        )?;
        let memory = used.memory;
        line(
            f,
            "memory",
            format_args!("{:.1} MiB in {} processes", mib(memory.resident_bytes), memory.processes),
        )
    }
}

//! What a run found, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::tally::{Counts, Latency};
use super::work::{Target, Work};
use crate::procfs::Memory;

/// What the watched processes used while calls were measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ProcessReport {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// That time per measured call, in microseconds.
    pub cpu_us_per_call: f64,
    /// Their memory at the end, with all sessions open.
    pub memory: Memory,
}

/// What a run of calls found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The transport.
    pub transport: &'static str,
    /// The revision that was asked for.
    pub revision: &'static str,
    /// How many sessions.
    pub sessions: usize,
    /// How many calls each had in flight.
    pub concurrency: usize,
    /// The length of each call's text, in bytes.
    pub payload_bytes: usize,
    /// How long calls were measured.
    pub seconds: f64,
    /// How many calls were answered rightly in this time.
    pub calls: u64,
    /// The same, per second.
    pub calls_per_second: f64,
    /// What went wrong.
    pub counts: Counts,
    /// Some of what went wrong, in words.
    pub failures: Vec<String>,
    /// How long the measured calls took, in microseconds.
    pub latency_us: Latency,
    /// How long the set-up of a session took, in microseconds.
    pub set_up_us: Latency,
    /// What the watched processes used.
    pub processes: Option<ProcessReport>,
}

impl Report {
    /// True if every call got its right answer, and there were calls.
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

/// The lines that say what went wrong.
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

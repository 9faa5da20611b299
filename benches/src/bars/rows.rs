//! The rows of the table: each with its work, its measure and its bar.

use std::time::Duration;

use super::rigs::Way;
use super::serving::Cost;

/// A kind of load. Rows that need the same load share its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Load {
    /// 8 sessions x 4 in flight, 64 bytes.
    Small,
    /// 100 sessions x 1, 64 bytes.
    Many,
    /// 8 sessions x 4 in flight, 64 KiB.
    Middle,
    /// 1 x 1, 1 MiB.
    Large,
    /// 1 x 1, 64 bytes.
    Single,
    /// 1 x 1, 16 MiB, a few calls: whether it works at all.
    Huge,
}

/// The number of calls of 16 MiB.
pub(crate) const HUGE_CALLS: u64 = 4;

impl Load {
    /// Sessions, calls in flight per session, bytes of text.
    pub(crate) fn shape(self) -> (usize, usize, usize) {
        match self {
            Self::Small => (8, 4, 64),
            Self::Many => (100, 1, 64),
            Self::Middle => (8, 4, 64 * 1024),
            Self::Large => (1, 1, 1024 * 1024),
            Self::Single => (1, 1, 64),
            Self::Huge => (1, 1, 16 * 1024 * 1024),
        }
    }
}

/// The measure of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
    /// Processor time per call on `way`, at most `bar` times the floor's at `floor`.
    Processor { load: Load, way: Way, floor: Load, bar: f64 },
    /// Processor time per call on `way`, at most `bar` times that on `other`, at 8 x 4 and 64 bytes.
    Against { way: Way, other: Way, bar: f64 },
    /// Calls per second, at least `bar` times those of direct.
    Throughput { bar: f64 },
    /// Median latency above direct, at most `bar`, on a machine where the floor takes 30 us.
    Latency { bar: Duration },
    /// Calls of 16 MiB on these ways: none may fail.
    Huge { ways: &'static [Way] },
    /// Memory per idle session, at most `bar` bytes.
    Idle { with_stream: bool, bar: f64 },
    /// Resident memory of `crossway stdio`, at most `bar` bytes.
    Resident { bar: f64 },
    /// The size of the binary, at most `bar` bytes.
    Size { bar: f64 },
    /// Sessions set up and ended per second, at least `bar` times those of direct.
    SetUps { bar: f64 },
    /// Open WebUI's turns, many at once: requests to the upstream servers for each turn, at most `bar`.
    Turns { bar: f64 },
    /// Open WebUI's turns of many users, each at their own pace: the 99th percentile above that of turns with the server directly, at most
    /// `bar`.
    PacedTurns { bar: Duration },
    /// Lists of all tools: processor time on `way`, at most `bar` times that on `other`.
    Lists { way: Way, other: Way, bar: f64 },
    /// Memory with all idle sessions over the merged servers: at most `bar` bytes in all.
    IdleMerged { bar: f64 },
    /// Another cost of `crossway serve`, at most `bar`.
    Serving { cost: Cost, bar: f64 },
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The name for `--only`.
    pub(crate) name: &'static str,
    /// The work, in words.
    pub(crate) work: &'static str,
    /// The measure.
    pub(crate) measure: Measure,
}

/// The floor's processor time per call on the reference machine for absolute times, in microseconds.
pub(crate) const REFERENCE_FLOOR_US: f64 = 30.0;

/// The number of sessions in the idle rows.
pub(crate) const IDLE_SESSIONS: usize = 10_000;

/// The number with `--quick`.
pub(crate) const QUICK_IDLE_SESSIONS: usize = 1_000;

/// The number of sessions that are set up at a time.
pub(crate) const SET_UPS_AT_A_TIME: usize = 8;

/// The number of turns that begin at once.
pub(crate) const TURNS_AT_ONCE: usize = 200;

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

/// All rows, in the order of the table.
pub(crate) const ROWS: [Row; 29] = [
    Row {
        name: "8x4",
        work: "stdio, 8 sessions x 4, 64 B: CPU per call",
        measure: Measure::Processor { load: Load::Small, way: Way::Stdio, floor: Load::Small, bar: 1.5 },
    },
    Row {
        name: "100x1",
        work: "stdio, 100 sessions x 1, 64 B: CPU per call",
        measure: Measure::Processor { load: Load::Many, way: Way::Stdio, floor: Load::Many, bar: 1.5 },
    },
    Row {
        name: "64k",
        work: "stdio, 8 sessions x 4, 64 KiB: CPU per call",
        measure: Measure::Processor { load: Load::Middle, way: Way::Stdio, floor: Load::Middle, bar: 0.9 },
    },
    Row {
        name: "1m",
        work: "stdio, 1 session x 1, 1 MiB: CPU per call",
        measure: Measure::Processor { load: Load::Large, way: Way::Stdio, floor: Load::Large, bar: 0.75 },
    },
    Row {
        name: "throughput",
        work: "stdio, 8 sessions x 4, 64 B: calls per second",
        measure: Measure::Throughput { bar: 0.7 },
    },
    Row {
        name: "latency",
        work: "stdio, 1 session x 1, 64 B: median latency above direct",
        measure: Measure::Latency { bar: Duration::from_micros(100) },
    },
    Row {
        name: "sse-http",
        work: "HTTP+SSE to HTTP, 8 sessions x 4, 64 B: CPU per call",
        measure: Measure::Processor { load: Load::Small, way: Way::SseToHttp, floor: Load::Small, bar: 2.5 },
    },
    Row {
        name: "http-http",
        work: "HTTP to HTTP, 8 sessions x 4, 64 B: CPU per call",
        measure: Measure::Processor { load: Load::Small, way: Way::HttpToHttp, floor: Load::Small, bar: 2.5 },
    },
    Row {
        name: "16m",
        work: "16 MiB, every way: calls that go wrong",
        measure: Measure::Huge { ways: &[Way::Stdio, Way::SseToHttp, Way::HttpToHttp, Way::Launched] },
    },
    Row {
        name: "idle",
        work: "HTTP upstream: memory per idle session",
        measure: Measure::Idle { with_stream: false, bar: 20.0 * KIB },
    },
    Row {
        name: "idle-stream",
        work: "HTTP upstream: memory per idle session with a GET stream",
        measure: Measure::Idle { with_stream: true, bar: 64.0 * KIB },
    },
    Row {
        name: "stdio-memory",
        work: "crossway stdio: resident memory",
        measure: Measure::Resident { bar: 8.0 * MIB },
    },
    Row { name: "size", work: "the binary", measure: Measure::Size { bar: 12.0 * MIB } },
    Row {
        name: "to-legacy",
        work: "modern client, legacy stdio server, 8 x 4, 64 B: CPU per call",
        measure: Measure::Against { way: Way::ToLegacy, other: Way::Modern, bar: 1.5 },
    },
    Row {
        name: "from-legacy",
        work: "legacy client, modern stdio server, 8 x 4, 64 B: CPU per call",
        measure: Measure::Against { way: Way::FromLegacy, other: Way::Modern, bar: 1.5 },
    },
    Row {
        name: "merged",
        work: "20 stdio servers of 500 tools merged, 8 x 4, 64 B: CPU per call",
        measure: Measure::Against { way: Way::Merged, other: Way::Stdio, bar: 1.15 },
    },
    Row {
        name: "turns",
        work: "Open WebUI's turn, 200 at once, 20 HTTP servers merged: requests to them per turn",
        // Its call, and now and then a list that is refreshed meanwhile.
        measure: Measure::Turns { bar: 1.05 },
    },
    Row {
        name: "turns-paced",
        work: "Open WebUI's turn, 200 users at their own pace, 20 HTTP servers merged: p99 of its requests above direct",
        measure: Measure::PacedTurns { bar: Duration::from_millis(10) },
    },
    Row {
        name: "lists",
        work: "tools/list of 10,000 tools, 20 HTTP servers merged: CPU per list",
        measure: Measure::Lists { way: Way::MergedHttp, other: Way::Listing, bar: 1.5 },
    },
    Row {
        name: "idle-merged",
        work: "10,000 idle sessions over 20 HTTP servers merged: memory in all",
        measure: Measure::IdleMerged { bar: 250.0 * MIB },
    },
    Row {
        name: "set-ups",
        work: "HTTP upstream: session set-ups per second",
        measure: Measure::SetUps { bar: 0.5 },
    },
    Row {
        name: "serve-chain",
        work: "crossway serve, all that a call passes, 20 stdio servers, 8 x 4, 64 B: CPU per call",
        measure: Measure::Against { way: Way::Served, other: Way::Merged, bar: 1.5 },
    },
    Row {
        name: "serve-chain-http",
        work: "crossway serve, all that a call passes, 20 HTTP servers, 8 x 4, 64 B: CPU per call",
        measure: Measure::Against { way: Way::ServedHttp, other: Way::MergedHttp, bar: 1.5 },
    },
    Row {
        name: "serve-lists",
        work: "crossway serve, tools/list of 10,000 tools less 20, known: CPU per list",
        measure: Measure::Lists { way: Way::ServedHttp, other: Way::MergedHttp, bar: 1.2 },
    },
    Row {
        name: "serve-first-list",
        work: "crossway serve, a user's first tools/list, 2,240 of 10,000 tools: CPU per list",
        measure: Measure::Serving { cost: Cost::FirstList, bar: 1000.0 },
    },
    Row {
        name: "serve-reload",
        work: "crossway serve, a reload with 10,000 grants: longest pause of calls",
        measure: Measure::Serving { cost: Cost::Reload, bar: 5000.0 },
    },
    Row {
        name: "serve-user",
        work: "crossway serve: memory per known idle user",
        measure: Measure::Serving { cost: Cost::User, bar: 8.0 * KIB },
    },
    Row {
        name: "serve-session",
        work: "crossway serve: memory per idle session of these users",
        measure: Measure::Serving { cost: Cost::Session, bar: 25.0 * KIB },
    },
    Row {
        name: "serve-start",
        work: "crossway serve, 100 upstreams: start until it serves",
        measure: Measure::Serving { cost: Cost::Start, bar: 100_000.0 },
    },
];

impl Row {
    /// The runs of calls that the row needs.
    pub(crate) fn runs(&self) -> Vec<(Load, Way)> {
        match self.measure {
            Measure::Processor { load, way, floor, .. } => vec![(floor, Way::Floor), (load, way)],
            Measure::Against { way, other, .. } => vec![(Load::Small, way), (Load::Small, other)],
            Measure::Throughput { .. } => {
                vec![(Load::Small, Way::Stdio), (Load::Small, Way::Direct), (Load::Small, Way::Floor)]
            }
            Measure::Latency { .. } => {
                vec![(Load::Single, Way::Stdio), (Load::Single, Way::Direct), (Load::Small, Way::Floor)]
            }
            Measure::Huge { ways } => ways.iter().map(|way| (Load::Huge, *way)).collect(),
            Measure::Resident { .. } => vec![(Load::Single, Way::Launched)],
            Measure::Idle { .. }
            | Measure::IdleMerged { .. }
            | Measure::Lists { .. }
            | Measure::PacedTurns { .. }
            | Measure::Serving { .. }
            | Measure::Size { .. }
            | Measure::SetUps { .. }
            | Measure::Turns { .. } => Vec::new(),
        }
    }
}

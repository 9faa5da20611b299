//! Metrics of calls.

use std::fmt;
use std::sync::Arc;

use crossway_service::CallError;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use super::failures::FailureLog;
use super::{HeldBytes, signed};

/// How a call has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// With a result.
    Ok,
    /// With the upstream's JSON-RPC error.
    Error,
    /// The upstream refused it below the level of messages, by an HTTP status for example.
    Refused,
    /// It was not sent.
    NotSent,
    /// It was sent, and no answer came.
    Unknown,
    /// The client no longer wanted it.
    Cancelled,
}

impl CallOutcome {
    pub(super) const ALL: [Self; 6] =
        [Self::Ok, Self::Error, Self::Refused, Self::NotSent, Self::Unknown, Self::Cancelled];

    /// Its word, as the label has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The series of one tenant's calls to one upstream: found once, then nothing is looked up or written out for a call.
pub struct CallMeter {
    /// In the order of [`CallOutcome::ALL`].
    pub(super) outcomes: [Counter; 6],
    pub(super) seconds: Histogram,
    pub(super) in_flight: Gauge,
    pub(super) bytes_in_flight: Gauge,
    pub(super) request_bytes: Counter,
    pub(super) reply_bytes: Counter,
    pub(super) failures: FailureLog,
}

impl CallMeter {
    /// A call has begun, with a request of so many bytes.
    #[must_use = "a call that is dropped is recorded as cancelled"]
    pub fn begin(self: &Arc<Self>, request_bytes: usize) -> MeteredCall {
        let held = signed(request_bytes as u64);
        self.in_flight.inc();
        self.bytes_in_flight.inc_by(held);
        self.request_bytes.inc_by(request_bytes as u64);
        MeteredCall {
            meter: Arc::clone(self),
            started: Instant::now(),
            held,
            outcome: CallOutcome::Cancelled,
        }
    }

    /// A request of so many bytes waits to become a call, until what this gives is dropped.
    pub fn hold_request(&self, bytes: usize) -> HeldBytes {
        HeldBytes::new(&self.bytes_in_flight, bytes)
    }
}

impl fmt::Debug for CallMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallMeter({} in flight)", self.in_flight.get())
    }
}

/// A call that is being recorded. When it is dropped, it has ended; as cancelled, unless [`ended`](Self::ended) said
/// otherwise.
#[derive(Debug)]
pub struct MeteredCall {
    meter: Arc<CallMeter>,
    started: Instant,
    held: i64,
    outcome: CallOutcome,
}

impl MeteredCall {
    /// A message of so many bytes has come.
    pub fn replied(&self, bytes: usize) {
        self.meter.reply_bytes.inc_by(bytes as u64);
    }

    /// The call has failed: the log says why, once in a while.
    pub fn failed(&self, error: &CallError) {
        self.meter.failures.failed(error);
    }

    /// The call has ended.
    pub fn ended(mut self, outcome: CallOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for MeteredCall {
    fn drop(&mut self) {
        self.meter.in_flight.dec();
        self.meter.bytes_in_flight.dec_by(self.held);
        self.meter.seconds.observe(self.started.elapsed().as_secs_f64());
        self.meter.outcomes[self.outcome as usize].inc();
    }
}

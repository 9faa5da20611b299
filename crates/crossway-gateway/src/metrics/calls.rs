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

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// The upstream returned a result.
    Ok,
    /// The upstream returned a JSON-RPC error.
    Error,
    /// The upstream refused the call below the level of messages, for example with an HTTP status.
    Refused,
    /// The call was not sent.
    NotSent,
    /// The call was sent, and no answer came.
    Unknown,
    /// The client cancelled the call.
    Cancelled,
}

impl CallOutcome {
    pub(super) const ALL: [Self; 6] =
        [Self::Ok, Self::Error, Self::Refused, Self::NotSent, Self::Unknown, Self::Cancelled];

    /// The value of the label `outcome`.
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

/// The series of one tenant's calls to one upstream, found once, so that a call needs no lookup and no formatting of labels.
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
    /// Records the start of a call with a request of this many bytes.
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

    /// Counts the bytes of a request that waits to become a call, until the returned value is dropped.
    pub fn hold_request(&self, bytes: usize) -> HeldBytes {
        HeldBytes::new(&self.bytes_in_flight, bytes)
    }
}

impl fmt::Debug for CallMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallMeter({} in flight)", self.in_flight.get())
    }
}

/// A call that is being recorded. Dropping it records its end, as cancelled unless [`ended`](Self::ended) was called.
#[derive(Debug)]
pub struct MeteredCall {
    meter: Arc<CallMeter>,
    started: Instant,
    held: i64,
    outcome: CallOutcome,
}

impl MeteredCall {
    /// Records a message of the reply, of this many bytes.
    pub fn replied(&self, bytes: usize) {
        self.meter.reply_bytes.inc_by(bytes as u64);
    }

    /// The call has failed: the log says why, once in a while.
    pub fn failed(&self, error: &CallError) {
        self.meter.failures.failed(error);
    }

    /// Records the end of the call.
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

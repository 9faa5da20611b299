//! Metrics of tenants.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossway_layers::limit::OverQuota;
use parking_lot::RwLock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::failures::FailureLog;
use super::family::Value;
use super::{CallMeter, CallOutcome, Inner, signed};

/// The bound of a quota for which a call or another request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuotaBound {
    /// Requests of any kind per time.
    Requests,
    /// Calls per time.
    Calls,
    /// Calls at once: too many waited for their turn, or one waited for too long.
    InFlight,
    /// Bytes per time.
    Bytes,
    /// Processes at once.
    Children,
    /// The quota allows nothing at all.
    Closed,
    /// There are too many quotas to keep counts of.
    Keys,
}

impl From<OverQuota> for QuotaBound {
    fn from(over: OverQuota) -> Self {
        match over {
            OverQuota::Requests { .. } => Self::Requests,
            OverQuota::Calls { .. } => Self::Calls,
            OverQuota::Bytes { .. } => Self::Bytes,
            OverQuota::Waiting | OverQuota::Waited => Self::InFlight,
            OverQuota::Closed => Self::Closed,
            // The only other one: the table of counts is full.
            _ => Self::Keys,
        }
    }
}

impl QuotaBound {
    pub(super) const ALL: [Self; 7] =
        [Self::Requests, Self::Calls, Self::InFlight, Self::Bytes, Self::Children, Self::Closed, Self::Keys];

    /// The value of the label `bound`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Calls => "calls",
            Self::InFlight => "in_flight",
            Self::Bytes => "bytes",
            Self::Children => "children",
            Self::Closed => "closed",
            Self::Keys => "keys",
        }
    }
}

/// The series of one tenant, found once for each caller.
pub struct TenantMeter {
    name: Arc<str>,
    number: usize,
    /// By upstream.
    calls: RwLock<HashMap<Box<str>, Arc<CallMeter>>>,
    /// In the order of [`QuotaBound::ALL`].
    refusals: [Counter; 7],
    unsent: Gauge,
}

impl TenantMeter {
    pub(super) fn new(inner: &Inner, name: &str) -> Self {
        let name: Arc<str> = name.into();
        let refusal =
            |bound: QuotaBound| inner.quota_refusals.with([Value::from(&name), bound.word().into()]);
        Self {
            number: inner.numbers.fetch_add(1, Ordering::Relaxed),
            calls: RwLock::default(),
            refusals: QuotaBound::ALL.map(refusal),
            unsent: inner.reply_bytes_unsent.with([Value::from(&name)]),
            name,
        }
    }

    /// A number that no other meter has, including later ones.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Returns the meter of calls to an upstream, which has to be named by the configuration.
    pub(super) fn calls(&self, inner: &Inner, upstream: &str) -> Arc<CallMeter> {
        let known = self.calls.read();
        if let Some(meter) = known.get(upstream) {
            return Arc::clone(meter);
        }
        drop(known);
        let upstream_label = Arc::from(upstream);
        let labels = || [Value::from(&self.name), Value::from(&upstream_label)];
        let outcome = |outcome: CallOutcome| {
            let [tenant, upstream] = labels();
            inner.calls.with([tenant, upstream, outcome.word().into()])
        };
        let meter = Arc::new(CallMeter {
            outcomes: CallOutcome::ALL.map(outcome),
            seconds: inner.call_seconds.with(labels()),
            in_flight: inner.calls_in_flight.with(labels()),
            bytes_in_flight: inner.request_bytes_in_flight.with(labels()),
            request_bytes: inner.request_bytes.with(labels()),
            reply_bytes: inner.reply_bytes.with(labels()),
            failures: FailureLog::new(Arc::clone(&self.name), Arc::clone(&upstream_label)),
        });
        let mut known = self.calls.write();
        Arc::clone(known.entry(upstream.into()).or_insert(meter))
    }

    /// Removes the meters of upstreams that are not to be kept.
    pub(super) fn keep(&self, is_kept: impl Fn(&str) -> bool) {
        self.calls.write().retain(|name, _| is_kept(name));
    }

    /// Counts a call or another request that a quota refused.
    pub fn refused(&self, bound: QuotaBound) {
        self.refusals[bound as usize].inc();
    }

    /// Counts bytes of a reply that are on their way to a client, until the returned value is dropped.
    pub fn hold_reply(&self, bytes: usize) -> HeldBytes {
        HeldBytes::new(&self.unsent, bytes)
    }
}

impl fmt::Debug for TenantMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TenantMeter").field(&self.name).finish()
    }
}

/// Bytes that are counted as held until this is dropped.
#[must_use = "bytes are counted until this is dropped"]
pub struct HeldBytes {
    gauge: Gauge,
    bytes: i64,
}

impl HeldBytes {
    pub(super) fn new(gauge: &Gauge, bytes: usize) -> Self {
        let bytes = signed(bytes as u64);
        gauge.inc_by(bytes);
        Self { gauge: gauge.clone(), bytes }
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.gauge.dec_by(self.bytes);
    }
}

impl fmt::Debug for HeldBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeldBytes({})", self.bytes)
    }
}

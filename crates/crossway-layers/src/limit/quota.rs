//! What may be used, by whom.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crossway_service::Call;
use smallvec::SmallVec;

/// What may be used by all who share a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// By whom.
    pub key: QuotaKey,
    /// How many calls per time.
    pub calls: Option<Rate>,
    /// How many calls at once.
    pub at_once: Option<AtOnce>,
    /// How many bytes per time, requests and replies together.
    pub bytes: Option<Rate>,
}

impl Quota {
    /// A quota without a bound.
    #[must_use]
    pub fn new(key: QuotaKey) -> Self {
        Self { key, calls: None, at_once: None, bytes: None }
    }

    /// So many calls per time.
    #[must_use]
    pub fn calls(mut self, rate: Rate) -> Self {
        self.calls = Some(rate);
        self
    }

    /// So many calls at once.
    #[must_use]
    pub fn at_once(mut self, at_once: AtOnce) -> Self {
        self.at_once = Some(at_once);
        self
    }

    /// So many bytes per time.
    #[must_use]
    pub fn bytes(mut self, rate: Rate) -> Self {
        self.bytes = Some(rate);
        self
    }
}

/// Who shares a quota. Two keys are one if their texts are, so a text has to say all that tells two of them apart: what kind
/// of quota it is, and issuer and subject of a user.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct QuotaKey(Arc<str>);

impl QuotaKey {
    /// A key.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for QuotaKey {
    /// Who calls does not belong into logs by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaKey([redacted])")
    }
}

/// So much per time, all of it at once if it was not used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How much.
    pub amount: NonZeroU32,
    /// In how long; not zero.
    pub period: Duration,
}

impl Rate {
    /// So much per second.
    #[must_use]
    pub fn per_second(amount: NonZeroU32) -> Self {
        Self { amount, period: Duration::from_secs(1) }
    }

    /// So much per minute.
    #[must_use]
    pub fn per_minute(amount: NonZeroU32) -> Self {
        Self { amount, period: Duration::from_secs(60) }
    }

    /// How long one unit takes; at least a nanosecond.
    pub(super) fn each(&self) -> Duration {
        (self.period / self.amount.get()).max(Duration::from_nanos(1))
    }
}

/// So many calls at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtOnce {
    /// How many.
    pub most: NonZeroU32,
    /// Which of those who share the quota this call is of: of those who wait, the one with the fewest calls at that time is
    /// next. `None`: in the order in which they came.
    pub of: Option<QuotaKey>,
}

/// The quotas that a call counts for.
pub type QuotaList = SmallVec<[Quota; 4]>;

/// Says which quotas a call counts for.
pub trait Quotas: Send + Sync + 'static {
    /// The quotas of a request, the narrowest first (a user's before its tenant's), in an order that is the same for all calls. So
    /// a user who is over its own uses up nothing of its tenant's.
    ///
    /// More than [`LIMIT_QUOTAS`](crate::limits::LIMIT_QUOTAS) are not looked at.
    fn quotas(&self, call: &Call) -> QuotaList;
}

impl<F> Quotas for F
where
    F: Fn(&Call) -> QuotaList + Send + Sync + 'static,
{
    fn quotas(&self, call: &Call) -> QuotaList {
        self(call)
    }
}

//! Quotas and their keys.

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crossway_policy::{Principal, TenantName, config as policy};
use crossway_service::{Call, Context};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::OverQuota;

/// The limits of all who share a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// The key of those who share it.
    pub key: QuotaKey,
    /// The tenant it belongs to. One tenant's counts take three quarters of the room for counts at the most.
    pub tenant: Option<TenantName>,
    /// How many calls per time.
    pub calls: Option<Rate>,
    /// The limit of concurrent calls.
    pub at_once: Option<AtOnce>,
    /// How many bytes per time, requests and replies together.
    pub bytes: Option<Rate>,
    /// Whether the quota allows nothing.
    pub is_closed: bool,
}

impl Quota {
    /// A quota without a bound.
    #[must_use]
    pub fn new(key: QuotaKey) -> Self {
        Self { key, tenant: None, calls: None, at_once: None, bytes: None, is_closed: false }
    }

    /// All quotas of a policy that a call counts against, the narrowest first: a user's own before the tenant's, and within both those of a
    /// tool before those of an upstream or of all.
    #[must_use]
    pub fn all_of_policy(quotas: &[crossway_policy::Quota], caller: &Principal) -> QuotaList {
        let mut sorted: SmallVec<[_; 8]> = quotas.iter().collect();
        sorted.sort_by_key(|quota| {
            let key = &quota.key;
            (key.user.is_none(), key.tool.is_none(), key.upstream.is_none())
        });
        sorted.into_iter().map(|quota| Self::of_policy(quota, caller)).collect()
    }

    /// A policy's quota, with a key of its own: two rules may concern the same, and their limits tell them apart. A limit of zero
    /// closes it: no call passes.
    ///
    /// Users of a tenant's quota take turns by issuer and subject. Child processes are counted where they are started.
    #[must_use]
    pub fn of_policy(quota: &crossway_policy::Quota, caller: &Principal) -> Self {
        let (key, limits) = (&quota.key, &quota.limits);
        let mut limited =
            Self::new(QuotaKey::of(Key::Policy(Arc::new(key.clone())))).of_tenant(key.tenant.clone());
        let mut rate = |rate: Option<policy::Rate>| {
            let rate = rate?;
            let amount = NonZeroU64::new(rate.count());
            limited.is_closed |= amount.is_none();
            Some(Rate { amount: amount?, period: rate.period() })
        };
        let (calls, bytes) = (rate(limits.calls), rate(limits.bytes));
        (limited.calls, limited.bytes) = (calls, bytes);
        if let Some(most) = limits.in_flight {
            let of = QuotaKey::of(Key::User(caller.clone()));
            limited.at_once = NonZeroU32::new(most).map(|most| AtOnce { most, of: Some(of) });
            limited.is_closed |= most == 0;
        }
        limited
    }

    /// A policy's limits of requests of all kinds, users' own first. They are counted like calls.
    #[must_use]
    pub fn of_requests(quotas: &[crossway_policy::Quota]) -> QuotaList {
        let of = |users: bool| quotas.iter().filter(move |quota| quota.key.user.is_some() == users);
        let counted = of(true).chain(of(false)).map(|quota| {
            let key = QuotaKey::of(Key::Policy(Arc::new(quota.key.clone())));
            let amount = quota.limits.requests.map(|rate| (NonZeroU64::new(rate.count()), rate.period()));
            let limited = Self::new(key).of_tenant(quota.key.tenant.clone());
            Self {
                calls: amount.and_then(|(amount, period)| Some(Rate { amount: amount?, period })),
                is_closed: amount.is_some_and(|(amount, _)| amount.is_none()),
                ..limited
            }
        });
        counted.collect()
    }

    /// Sets the tenant that the quota belongs to.
    #[must_use]
    pub fn of_tenant(mut self, tenant: TenantName) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Sets the limit of calls per time.
    #[must_use]
    pub fn calls(mut self, rate: Rate) -> Self {
        self.calls = Some(rate);
        self
    }

    /// Sets the limit of concurrent calls.
    #[must_use]
    pub fn at_once(mut self, at_once: AtOnce) -> Self {
        self.at_once = Some(at_once);
        self
    }

    /// Sets the limit of bytes per time.
    #[must_use]
    pub fn bytes(mut self, rate: Rate) -> Self {
        self.bytes = Some(rate);
        self
    }
}

/// Identifies those who share a quota.
#[derive(Clone, PartialEq, Eq)]
pub struct QuotaKey {
    /// The key's hash, computed once: each call looks it up in several tables. It is the first field, so unequal keys differ early.
    hash: u64,
    key: Key,
}

/// The random state that all keys of this process are hashed with.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Text(Arc<str>),
    /// A policy's key, which tells any two quotas apart, their limits included.
    Policy(Arc<crossway_policy::QuotaKey>),
    /// A user who takes turns: issuer and subject.
    User(Principal),
}

impl QuotaKey {
    /// Creates a key. Two keys are equal if their texts are, so a text has to hold everything that distinguishes two quotas: the kind of
    /// quota, and a user's issuer and subject.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self::of(Key::Text(text.into()))
    }

    fn of(key: Key) -> Self {
        Self { hash: SEED.hash_one(&key), key }
    }

    /// The same key for long-term storage: of a user it keeps issuer and subject, and no other data.
    pub(super) fn to_kept(&self) -> Self {
        let slim = |user: &Principal| Principal::new(user.issuer(), user.subject(), user.proof());
        let key = match &self.key {
            Key::Policy(key) => {
                let mut key = crossway_policy::QuotaKey::clone(key);
                key.user = key.user.as_ref().map(slim);
                Key::Policy(Arc::new(key))
            }
            Key::User(user) => Key::User(slim(user)),
            Key::Text(_) => self.key.clone(),
        };
        Self { hash: self.hash, key }
    }
}

impl Hash for QuotaKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for QuotaKey {
    /// Redacted: the caller must not get into logs by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaKey([redacted])")
    }
}

/// An amount per period; all of it may be used at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// The amount.
    pub amount: NonZeroU64,
    /// The period; not zero.
    pub period: Duration,
}

impl Rate {
    /// Creates a rate of `amount` per second.
    #[must_use]
    pub fn per_second(amount: impl Into<NonZeroU64>) -> Self {
        Self { amount: amount.into(), period: Duration::from_secs(1) }
    }

    /// Creates a rate of `amount` per minute.
    #[must_use]
    pub fn per_minute(amount: impl Into<NonZeroU64>) -> Self {
        Self { amount: amount.into(), period: Duration::from_secs(60) }
    }

    /// The time for one; at least a nanosecond.
    pub(super) fn each(&self) -> Duration {
        self.time_of(1).max(Duration::from_nanos(1))
    }

    /// The time for `count`.
    pub(super) fn time_of(&self, count: usize) -> Duration {
        let nanos = self.period.as_nanos().saturating_mul(count as u128) / u128::from(self.amount.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// A limit of concurrent calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtOnce {
    /// The most concurrent calls.
    pub most: NonZeroU32,
    /// The user of this call among those who share the quota: of the waiting users, the one with the fewest calls is next.
    /// `None`: in order of arrival.
    pub of: Option<QuotaKey>,
}

/// The quotas of a call. Cheap to clone, so it can be cached.
pub type QuotaList = Arc<[Quota]>;

/// Determines the quotas that a call counts against.
pub trait Quotas: Send + Sync + 'static {
    /// The quotas that a request counts against, narrowest first (user before tenant), in the same order for every call, so that a call
    /// waiting for its user's slot holds none of the tenant's. Keys must be distinct: a duplicate is counted twice.
    fn quotas(&self, call: &Call) -> QuotaList;

    /// Called when a quota refuses a call.
    fn refused(&self, context: &Context, by: OverQuota) {
        let _ = (context, by);
    }

    /// Called when a request of so many bytes starts to wait for its turn. The returned value is dropped when the wait ends, for whatever
    /// reason.
    fn waits(&self, context: &Context, bytes: usize) -> Option<Box<dyn Any + Send>> {
        let _ = (context, bytes);
        None
    }
}

impl<F> Quotas for F
where
    F: Fn(&Call) -> QuotaList + Send + Sync + 'static,
{
    fn quotas(&self, call: &Call) -> QuotaList {
        self(call)
    }
}

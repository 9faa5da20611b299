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

/// What may be used by all who share a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// By whom.
    pub key: QuotaKey,
    /// Whose it is. The counts of one tenant take three quarters of the room for counts at the most.
    pub tenant: Option<TenantName>,
    /// How many calls per time.
    pub calls: Option<Rate>,
    /// How many calls at once.
    pub at_once: Option<AtOnce>,
    /// How many bytes per time, requests and replies together.
    pub bytes: Option<Rate>,
    /// Whether nothing at all may be used.
    pub is_closed: bool,
}

impl Quota {
    /// A quota without a bound.
    #[must_use]
    pub fn new(key: QuotaKey) -> Self {
        Self { key, tenant: None, calls: None, at_once: None, bytes: None, is_closed: false }
    }

    /// All that a policy says a call counts against, the narrowest first: users' own before their tenant's, and of both what is about a tool
    /// before what is about an upstream or about all.
    #[must_use]
    pub fn all_of_policy(quotas: &[crossway_policy::Quota], caller: &Principal) -> QuotaList {
        let mut sorted: SmallVec<[_; 8]> = quotas.iter().collect();
        sorted.sort_by_key(|quota| {
            let key = &quota.key;
            (key.user.is_none(), key.tool.is_none(), key.upstream.is_none())
        });
        sorted.into_iter().map(|quota| Self::of_policy(quota, caller)).collect()
    }

    /// What a policy says, under a key that is its alone: two rules may be about the same, and what they allow tells them apart. A limit of
    /// nothing closes it: no call passes.
    ///
    /// Who shares a tenant's quota takes turns by issuer and subject. Children are counted where they are started.
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

    /// What a policy says of requests, whatever they are about, users' own first. They are counted as calls are.
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

    /// One of this tenant's.
    #[must_use]
    pub fn of_tenant(mut self, tenant: TenantName) -> Self {
        self.tenant = Some(tenant);
        self
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

/// Who shares a quota.
#[derive(Clone, PartialEq, Eq)]
pub struct QuotaKey {
    /// Of the key, found out once: each call looks for it in several tables. It stands first, and so tells two apart at once.
    hash: u64,
    key: Key,
}

/// By which keys of this process are hashed, and no others.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Text(Arc<str>),
    /// A policy's own, which says all that tells two quotas apart, what they allow among it.
    Policy(Arc<crossway_policy::QuotaKey>),
    /// One of those who take turns: issuer and subject.
    User(Principal),
}

impl QuotaKey {
    /// A key. Two are one if their texts are, so a text has to say all that tells two of them apart: what kind of quota it is, and issuer
    /// and subject of a user.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self::of(Key::Text(text.into()))
    }

    fn of(key: Key) -> Self {
        Self { hash: SEED.hash_one(&key), key }
    }

    /// The same key, to be kept for long: of a user it has issuer and subject, and nothing else that is known of it.
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
    /// Who calls does not belong into logs by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaKey([redacted])")
    }
}

/// So much per time, all of it at once if it was not used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How much.
    pub amount: NonZeroU64,
    /// In how long; not zero.
    pub period: Duration,
}

impl Rate {
    /// So much per second.
    #[must_use]
    pub fn per_second(amount: impl Into<NonZeroU64>) -> Self {
        Self { amount: amount.into(), period: Duration::from_secs(1) }
    }

    /// So much per minute.
    #[must_use]
    pub fn per_minute(amount: impl Into<NonZeroU64>) -> Self {
        Self { amount: amount.into(), period: Duration::from_secs(60) }
    }

    /// How long one takes; at least a nanosecond.
    pub(super) fn each(&self) -> Duration {
        self.time_of(1).max(Duration::from_nanos(1))
    }

    /// How long so many take.
    pub(super) fn time_of(&self, count: usize) -> Duration {
        let nanos = self.period.as_nanos().saturating_mul(count as u128) / u128::from(self.amount.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
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

/// The quotas of a call. Cheap to clone, so it can be cached.
pub type QuotaList = Arc<[Quota]>;

/// Says which quotas a call counts for.
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

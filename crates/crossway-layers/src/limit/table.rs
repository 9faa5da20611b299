//! The table of quota counters.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossway_policy::TenantName;
use foldhash::HashMap;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as GovernorQuota, RateLimiter};

use super::bytes::Bucket;
use super::gate::Gate;
use super::{OverQuota, Quota, QuotaKey, Rate};
use crate::Clock;
use crate::limits::LIMIT_IDLE;

/// How much of the room one tenant's counts may take.
const OF_TENANT: (usize, usize) = (3, 4);

/// The counts of each key.
pub(super) struct Table {
    entries: Mutex<Entries>,
    clock: Time,
    most: usize,
}

struct Entries {
    by_key: HashMap<QuotaKey, Entry>,
    /// How many of them are whose.
    by_tenant: HashMap<TenantName, usize>,
    /// How many there may be until it is looked for idle ones.
    sweep_at: usize,
    swept: Option<Instant>,
}

struct Entry {
    counts: Arc<Counts>,
    tenant: Option<TenantName>,
    used: Instant,
}

/// What one key has used.
pub(crate) struct Counts {
    calls: Option<(Rate, Limiter)>,
    bytes: Option<(Rate, Mutex<Bucket>)>,
    pub(super) gate: Arc<Gate>,
    most: Option<u32>,
    /// Whether something was counted since it was last looked for what is idle: who has the counts need not ask the table for them.
    is_used: AtomicBool,
    clock: Time,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Time, NoOpMiddleware<Instant>>;

/// Our clock as governor takes one.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

impl GovernorClock for Time {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.0.instant()
    }
}

impl Table {
    pub(super) fn new(clock: Arc<dyn Clock>, most: usize) -> Self {
        let (by_key, by_tenant) = Default::default();
        let entries = Entries { by_key, by_tenant, sweep_at: 1024.min(most), swept: None };
        Self { entries: Mutex::new(entries), clock: Time(clock), most }
    }

    /// The time by which is counted.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.entries().by_key.len()
    }

    /// The counts of a quota. Where its bounds are others than before, calls and bytes are counted from then on; calls at once go on
    /// being counted.
    pub(super) fn counts(&self, quota: &Quota, now: Instant) -> Result<Arc<Counts>, OverQuota> {
        let mut entries = self.entries();
        if let Some(entry) = entries.by_key.get_mut(&quota.key) {
            entry.used = now;
            if !entry.counts.are_of(quota) {
                entry.counts = Counts::new(quota, Arc::clone(&entry.counts.gate), self.clock.clone());
            }
            return Ok(Arc::clone(&entry.counts));
        }
        let tenant = quota.tenant.as_ref();
        if entries.by_key.len() >= entries.sweep_at || entries.is_share_full(tenant, self.most) {
            entries.sweep(now, self.most);
        }
        if entries.by_key.len() >= self.most || entries.is_share_full(tenant, self.most) {
            return Err(OverQuota::Keys);
        }
        let counts = Counts::new(quota, Arc::default(), self.clock.clone());
        let entry = Entry { counts: Arc::clone(&counts), tenant: quota.tenant.clone(), used: now };
        entries.by_key.insert(quota.key.to_kept(), entry);
        entries.count(tenant);
        Ok(counts)
    }
}

impl Entries {
    /// Whether a tenant has as many as one may have, so that there is room for the others'.
    fn is_share_full(&self, tenant: Option<&TenantName>, most: usize) -> bool {
        let share = (most * OF_TENANT.0 / OF_TENANT.1).max(1);
        tenant.and_then(|tenant| self.by_tenant.get(tenant)).is_some_and(|count| *count >= share)
    }

    fn count(&mut self, tenant: Option<&TenantName>) {
        if let Some(tenant) = tenant {
            *self.by_tenant.entry(tenant.clone()).or_default() += 1;
        }
    }

    /// Takes away what is idle, once a second at most.
    fn sweep(&mut self, now: Instant, most: usize) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < Duration::from_secs(1)) {
            return;
        }
        self.swept = Some(now);
        self.by_key.retain(|_, entry| {
            if entry.counts.is_used.swap(false, Ordering::Relaxed) {
                entry.used = now;
            }
            // Who asks for counts that another one has is to count with it.
            if Arc::strong_count(&entry.counts) > 1 {
                return true;
            }
            now.saturating_duration_since(entry.used) < entry.counts.keep(now) || !entry.counts.gate.is_idle()
        });
        self.by_tenant.clear();
        for tenant in self.by_key.values().filter_map(|entry| entry.tenant.as_ref()) {
            *self.by_tenant.entry(tenant.clone()).or_default() += 1;
        }
        self.sweep_at = self.by_key.len().saturating_mul(2).clamp(1024.min(most), most);
    }
}

impl Counts {
    fn new(quota: &Quota, gate: Arc<Gate>, clock: Time) -> Arc<Self> {
        let most = quota.at_once.as_ref().map(|at_once| at_once.most.get());
        if let Some(most) = most {
            gate.set_most(most as usize);
        }
        let calls = quota.calls.and_then(|rate| {
            let most = NonZeroU32::try_from(rate.amount).unwrap_or(NonZeroU32::MAX);
            let quota = GovernorQuota::with_period(rate.each())?.allow_burst(most);
            Some((rate, RateLimiter::direct_with_clock(quota, clock.clone())))
        });
        let bytes = quota.bytes.map(|rate| (rate, Mutex::new(Bucket::new(rate))));
        Arc::new(Self { calls, bytes, gate, most, is_used: AtomicBool::new(false), clock })
    }

    fn are_of(&self, quota: &Quota) -> bool {
        self.calls.as_ref().map(|(rate, _)| *rate) == quota.calls
            && self.bytes.as_ref().map(|(rate, _)| *rate) == quota.bytes
            && self.most == quota.at_once.as_ref().map(|at_once| at_once.most.get())
    }

    /// How long after the last use they matter.
    fn keep(&self, now: Instant) -> Duration {
        let periods = [self.calls.as_ref().map(|(rate, _)| rate.period)];
        let debt = self.bytes.as_ref().map(|(_, bucket)| lock(bucket).debt(now));
        periods.into_iter().chain([debt]).flatten().fold(LIMIT_IDLE, Duration::max)
    }

    /// The time by which is counted.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Counts a call, or says when there is room for one.
    pub(super) fn count_call(&self) -> Result<(), Duration> {
        let Some((_, limiter)) = &self.calls else { return Ok(()) };
        self.is_used.store(true, Ordering::Relaxed);
        limiter.check().map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Whether there is room for more bytes.
    pub(super) fn check_bytes(&self, now: Instant) -> Result<(), OverQuota> {
        let Some((_, bucket)) = &self.bytes else { return Ok(()) };
        lock(bucket).check(now).map_err(|retry_after| OverQuota::Bytes { retry_after })
    }

    /// Counts bytes.
    pub(super) fn count_bytes(&self, count: usize, now: Instant) {
        if let Some((_, bucket)) = &self.bytes {
            lock(bucket).charge(now, count);
        }
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.bytes.is_some()
    }
}

fn lock(bucket: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("keys", &self.len()).finish_non_exhaustive()
    }
}

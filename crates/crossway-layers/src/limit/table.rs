//! The table of quota counters.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossway_policy::TenantName;
use foldhash::HashMap;
use parking_lot::{Mutex, MutexGuard};

use super::bucket::Bucket;
use super::gate::Gate;
use super::{OverQuota, Quota, QuotaKey, Rate};
use crate::Clock;
use crate::limits::{LIMIT_IDLE, LIMIT_TENANT_PERCENT};

/// The counts of each key.
pub(super) struct Table {
    entries: Mutex<Entries>,
    clock: Arc<dyn Clock>,
    most: usize,
}

struct Entries {
    by_key: HashMap<QuotaKey, Entry>,
    /// How many of them each tenant has.
    by_tenant: HashMap<TenantName, usize>,
    /// The size at which idle entries are removed.
    sweep_at: usize,
    swept: Option<Instant>,
}

struct Entry {
    counts: Arc<Counts>,
    tenant: Option<TenantName>,
    used: Instant,
}

/// The use of one key.
pub(crate) struct Counts {
    calls: Option<Mutex<Bucket>>,
    bytes: Option<Mutex<Bucket>>,
    pub(super) gate: Arc<Gate>,
    most: Option<u32>,
    /// Whether something was counted since the last sweep: holders of the counts need not ask the table for them.
    is_used: AtomicBool,
    clock: Arc<dyn Clock>,
}

impl Table {
    pub(super) fn new(clock: Arc<dyn Clock>, most: usize) -> Self {
        let (by_key, by_tenant) = Default::default();
        let entries = Entries { by_key, by_tenant, sweep_at: 1024.min(most), swept: None };
        Self { entries: Mutex::new(entries), clock, most }
    }

    /// The current time of the table's clock.
    pub(super) fn now(&self) -> Instant {
        self.clock.instant()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock()
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.entries().by_key.len()
    }

    /// Returns the counts of a quota. If the quota's limits have changed, calls and bytes are counted from zero; concurrent calls
    /// continue to count.
    pub(super) fn counts(&self, quota: &Quota, now: Instant) -> Result<Arc<Counts>, OverQuota> {
        let mut entries = self.entries();
        if let Some(entry) = entries.by_key.get_mut(&quota.key) {
            entry.used = now;
            if !entry.counts.are_of(quota) {
                entry.counts = Counts::new(quota, Arc::clone(&entry.counts.gate), Arc::clone(&self.clock));
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
        let counts = Counts::new(quota, Arc::default(), Arc::clone(&self.clock));
        let entry = Entry { counts: Arc::clone(&counts), tenant: quota.tenant.clone(), used: now };
        entries.by_key.insert(quota.key.to_kept(), entry);
        entries.count(tenant);
        Ok(counts)
    }
}

impl Entries {
    /// Whether a tenant has used its share of the room, so that room is left for others.
    fn is_share_full(&self, tenant: Option<&TenantName>, most: usize) -> bool {
        let share = (most * LIMIT_TENANT_PERCENT / 100).max(1);
        tenant.and_then(|tenant| self.by_tenant.get(tenant)).is_some_and(|count| *count >= share)
    }

    fn count(&mut self, tenant: Option<&TenantName>) {
        if let Some(tenant) = tenant {
            *self.by_tenant.entry(tenant.clone()).or_default() += 1;
        }
    }

    /// Removes idle entries, once a second at most.
    fn sweep(&mut self, now: Instant, most: usize) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < Duration::from_secs(1)) {
            return;
        }
        self.swept = Some(now);
        self.by_key.retain(|_, entry| {
            if entry.counts.is_used.swap(false, Ordering::Relaxed) {
                entry.used = now;
            }
            // Counts that somebody holds are kept, so that later callers share them.
            if Arc::strong_count(&entry.counts) > 1 {
                return true;
            }
            let is_recent = now.saturating_duration_since(entry.used) < LIMIT_IDLE;
            is_recent || entry.counts.have_debt(now) || !entry.counts.gate.is_idle()
        });
        self.by_tenant.clear();
        for tenant in self.by_key.values().filter_map(|entry| entry.tenant.as_ref()) {
            *self.by_tenant.entry(tenant.clone()).or_default() += 1;
        }
        self.sweep_at = self.by_key.len().saturating_mul(2).clamp(1024.min(most), most);
    }
}

impl Counts {
    fn new(quota: &Quota, gate: Arc<Gate>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let most = quota.at_once.as_ref().map(|at_once| at_once.most.get());
        if let Some(most) = most {
            gate.set_most(most as usize);
        }
        let bucket = |rate: Option<Rate>| rate.map(|rate| Mutex::new(Bucket::new(rate)));
        let (calls, bytes) = (bucket(quota.calls), bucket(quota.bytes));
        Arc::new(Self { calls, bytes, gate, most, is_used: AtomicBool::new(false), clock })
    }

    fn are_of(&self, quota: &Quota) -> bool {
        let rate = |bucket: &Option<Mutex<Bucket>>| bucket.as_ref().map(|bucket| lock(bucket).rate());
        rate(&self.calls) == quota.calls
            && rate(&self.bytes) == quota.bytes
            && self.most == quota.at_once.as_ref().map(|at_once| at_once.most.get())
    }

    /// Whether the counts have to be kept because of past use.
    fn have_debt(&self, now: Instant) -> bool {
        [&self.calls, &self.bytes].into_iter().flatten().any(|bucket| !lock(bucket).debt(now).is_zero())
    }

    /// The current time of the table's clock.
    pub(super) fn now(&self) -> Instant {
        self.clock.instant()
    }

    /// Counts a call in all of `all`, or in none: a call that one refuses takes nothing from the others. The error has the longest
    /// of the waits.
    pub(super) fn take(all: &[Arc<Self>], now: Instant) -> Result<(), OverQuota> {
        let mut rest = all.iter();
        let Some(over) = rest.find_map(|counts| counts.with_room(now, |calls| calls.charge_one(now)).err())
        else {
            return Ok(());
        };
        let taken = all.len() - rest.len() - 1;
        Self::give_back(all.iter().take(taken), 0);
        let others = rest.filter_map(|counts| counts.with_room(now, |_| ()).err());
        Err(others.fold(over, OverQuota::or_longer))
    }

    /// Takes back a counted call and its bytes.
    pub(super) fn give_back<'a>(all: impl IntoIterator<Item = &'a Arc<Self>>, bytes: usize) {
        for counts in all {
            if let Some(calls) = &counts.calls {
                lock(calls).give_back_one();
            }
            if let Some(bucket) = &counts.bytes {
                lock(bucket).give_back(bytes);
            }
        }
    }

    /// Calls `then` with the count of calls if there is room for a call, and for bytes.
    fn with_room(&self, now: Instant, then: impl FnOnce(&mut Bucket)) -> Result<(), OverQuota> {
        self.is_used.store(true, Ordering::Relaxed);
        let check = |bucket: &Mutex<Bucket>| lock(bucket).check(now);
        let bytes = self.bytes.as_ref().map_or(Ok(()), check);
        let bytes = bytes.map_err(|retry_after| OverQuota::Bytes { retry_after });
        let Some(calls) = &self.calls else { return bytes };
        let mut calls = lock(calls);
        match (calls.check_one(now).map_err(|retry_after| OverQuota::Calls { retry_after }), bytes) {
            (Ok(()), Ok(())) => then(&mut calls),
            (Err(over), Err(other)) => return Err(over.or_longer(other)),
            (Err(over), Ok(())) | (Ok(()), Err(over)) => return Err(over),
        }
        Ok(())
    }

    /// Counts bytes.
    pub(super) fn count_bytes(&self, count: usize, now: Instant) {
        if let Some(bucket) = &self.bytes {
            lock(bucket).charge(now, count);
        }
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.bytes.is_some()
    }
}

fn lock(bucket: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    bucket.lock()
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("keys", &self.len()).finish_non_exhaustive()
    }
}

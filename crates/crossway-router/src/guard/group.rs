//! Fair shares of an upstream, by group of callers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossway_service::Context;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ScopeKey;
use crate::limits::{GROUP_PERCENT, GUARD_GROUPS};

/// Returns the group of a call; a call without a group has no limit below the upstream's.
pub(crate) type GroupOf = Arc<dyn Fn(&Context) -> Option<ScopeKey> + Send + Sync>;

/// The groups that have called.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<ScopeKey, Arc<Group>>>);

/// A group's turn, until it is dropped.
pub(super) struct GroupTurn(Arc<Group>);

/// One group's share of an upstream.
pub(super) struct Group {
    permits: Semaphore,
    queued: AtomicUsize,
    /// How many calls may wait.
    most: usize,
}

impl Groups {
    /// The group of this key. All groups together may have `concurrent` calls in flight and `queued` waiting.
    pub(super) fn get(&self, key: ScopeKey, concurrent: usize, queued: usize) -> Arc<Group> {
        let mut groups = self.0.lock();
        if groups.len() >= GUARD_GROUPS {
            groups.retain(|_, group| Arc::strong_count(group) > 1);
        }
        let group = groups.entry(key).or_insert_with(|| {
            let permits = Semaphore::new(part(concurrent).clamp(1, Semaphore::MAX_PERMITS));
            Arc::new(Group { permits, queued: AtomicUsize::new(0), most: part(queued) })
        });
        Arc::clone(group)
    }
}

/// The part of a bound that one group may have.
pub(crate) fn part(of: usize) -> usize {
    (of.saturating_mul(GROUP_PERCENT) / 100).max(of.min(1))
}

impl Group {
    /// A turn of the group, if one is free.
    pub(super) fn turn_now(self: &Arc<Self>) -> Option<GroupTurn> {
        self.permits.try_acquire().ok().map(|permit| self.turn_of(permit))
    }

    /// Waits for a turn of the group.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped future has taken no turn.
    pub(super) async fn turn(self: &Arc<Self>) -> Option<GroupTurn> {
        self.permits.acquire().await.ok().map(|permit| self.turn_of(permit))
    }

    fn turn_of(self: &Arc<Self>, permit: SemaphorePermit<'_>) -> GroupTurn {
        permit.forget();
        GroupTurn(Arc::clone(self))
    }

    /// Counts one waiting call if there is room. Each counted call has to [leave](Self::leave).
    pub(super) fn enter(&self) -> bool {
        let more = |queued| (queued < self.most).then_some(queued + 1);
        self.queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    pub(super) fn leave(&self) {
        self.queued.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for GroupTurn {
    fn drop(&mut self) {
        self.0.permits.add_permits(1);
    }
}

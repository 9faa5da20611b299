//! Fair shares of an upstream, by group of callers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossway_service::Context;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ScopeKey;
use crate::limits::{GROUP_PERCENT, GUARD_GROUPS};

/// Says of which group a call is; of none, it may take all that there is.
pub(crate) type GroupOf = Arc<dyn Fn(&Context) -> Option<ScopeKey> + Send + Sync>;

/// The groups that have called.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<ScopeKey, Arc<Group>>>);

/// A turn of a group's, until it is dropped.
pub(super) struct GroupTurn(Arc<Group>);

/// What one group has of an upstream.
pub(super) struct Group {
    permits: Semaphore,
    queued: AtomicUsize,
    /// How many may wait.
    most: usize,
}

impl Groups {
    /// The group of this key, where all of them together may have `concurrent` calls in flight and `queued` that wait.
    pub(super) fn get(&self, key: ScopeKey, concurrent: usize, queued: usize) -> Arc<Group> {
        // Each step leaves the table whole.
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

/// How much of a bound one group may have.
pub(crate) fn part(of: usize) -> usize {
    (of.saturating_mul(GROUP_PERCENT) / 100).max(of.min(1))
}

impl Group {
    /// A turn of the group's, if it has one left.
    pub(super) fn turn_now(self: &Arc<Self>) -> Option<GroupTurn> {
        self.permits.try_acquire().ok().map(|permit| self.turn_of(permit))
    }

    /// A turn of the group's, when it has one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future of this that is dropped has taken none.
    pub(super) async fn turn(self: &Arc<Self>) -> Option<GroupTurn> {
        self.permits.acquire().await.ok().map(|permit| self.turn_of(permit))
    }

    fn turn_of(self: &Arc<Self>, permit: SemaphorePermit<'_>) -> GroupTurn {
        permit.forget();
        GroupTurn(Arc::clone(self))
    }

    /// Counts one that waits, if it may. Each that was counted has to [leave](Self::leave).
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

//! Bounds on instances across several upstreams.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use crossway_service::{CallError, Context, Reason};
use parking_lot::{Mutex, MutexGuard};

use super::Instance;
use crate::ScopeKey;
use crate::limits::FULL_RETRY;

/// A limit of instances at once, over all upstreams that count in one [`Ledger`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// What is counted together: a tenant's instances, or a user's. Bounds with equal keys share a count.
    pub key: ScopeKey,
    /// The most instances; 0 allows none.
    pub most: usize,
}

impl Bound {
    /// Allows `most` instances for all calls with this key.
    pub fn new(key: ScopeKey, most: usize) -> Self {
        Self { key, most }
    }
}

/// Counts instances for bounds. Clones share the counts.
#[derive(Clone, Default)]
pub struct Ledger {
    counts: Arc<Mutex<Counts>>,
    refused: Option<Arc<Told>>,
}

type Told = dyn Fn(&Context) + Send + Sync;

#[derive(Default)]
pub(super) struct Counts(HashMap<ScopeKey, Vec<Weak<Instance>>>);

impl Ledger {
    /// A ledger that calls `refused` with the context of each call refused for a bound. `refused` must not block.
    pub fn telling(refused: impl Fn(&Context) + Send + Sync + 'static) -> Self {
        Self { counts: Arc::default(), refused: Some(Arc::new(refused)) }
    }

    pub(super) fn refused(&self, context: &Context) {
        if let Some(refused) = &self.refused {
            refused(context);
        }
    }

    /// The number of instances that count for a key.
    #[must_use]
    pub fn count(&self, key: &ScopeKey) -> usize {
        self.lock().0.get(key).map_or(0, |counted| counted.iter().filter(|it| it.strong_count() > 0).count())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock()
    }
}

impl Counts {
    /// Makes room for one more under each bound, but evicts nothing for a standing stream. Pushes evicted instances to `gone`, to be
    /// dropped when no lock is held.
    ///
    /// # Errors
    ///
    /// When all instances under one of the bounds are in use. Idle ones under other bounds may have been evicted already.
    pub(super) fn make_room(
        &self,
        bounds: &[Bound],
        is_standing: bool,
        gone: &mut Vec<Arc<Instance>>,
    ) -> Result<(), CallError> {
        for bound in bounds {
            if bound.most == 0 {
                return Err(full());
            }
            // An instance under two bounds is evicted once: being in `gone`, it no longer counts for the other.
            while self.held(&bound.key, gone) >= bound.most {
                let idle = if is_standing { None } else { self.longest_idle(&bound.key, gone) };
                gone.push(idle.ok_or_else(full)?);
            }
        }
        Ok(())
    }

    pub(super) fn count(&mut self, bounds: &[Bound], instance: &Arc<Instance>) {
        // Creating an instance is rare, and most often starts a process: there is time to look at all counts.
        self.0.retain(|_, counted| {
            counted.retain(|it| it.strong_count() > 0);
            !counted.is_empty()
        });
        for bound in bounds {
            self.0.entry(bound.key.clone()).or_default().push(Arc::downgrade(instance));
        }
    }

    fn held(&self, key: &ScopeKey, gone: &[Arc<Instance>]) -> usize {
        self.counted(key).filter(|it| !gone.iter().any(|other| Arc::ptr_eq(it, other))).count()
    }

    /// Evicts the least recently called instance.
    fn longest_idle(&self, key: &ScopeKey, gone: &[Arc<Instance>]) -> Option<Arc<Instance>> {
        let idle = self.counted(key).filter(|it| !gone.iter().any(|other| Arc::ptr_eq(it, other)));
        let mut idle: Vec<_> = idle.filter_map(|it| Some((it.uncalled_since()?, it))).collect();
        idle.sort_by_key(|(since, _)| *since);
        idle.into_iter().find_map(|(_, instance)| instance.take_away())
    }

    fn counted(&self, key: &ScopeKey) -> impl Iterator<Item = Arc<Instance>> {
        self.0.get(key).into_iter().flatten().filter_map(Weak::upgrade)
    }
}

fn full() -> CallError {
    let why = "as many servers as you may have running are in use";
    CallError::not_sent(Reason::OverQuota(why.into())).with_retry_after(FULL_RETRY)
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({} keys)", self.lock().0.len())
    }
}

//! A caller's credential plan, with its cached values.

use std::fmt;
use std::sync::Arc;

use crossway_policy::Credentials;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{SecretStore, Supplied};

/// The credentials that an upstream is sent for a caller, with the values that a store has read for them. Clones share both.
///
/// Keep a plan for the caller's next call: that one then needs no look-up in the store. The values hold for as long as the store says, and
/// for that store alone.
#[derive(Clone, Default)]
pub struct Plan(Arc<Inner>);

#[derive(Default)]
struct Inner {
    credentials: Credentials,
    cached: Mutex<Option<Cached>>,
}

struct Cached {
    supplied: Supplied,
    until: Instant,
    by: SecretStore,
}

impl Plan {
    /// The credentials that the policy plans.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// The cached values, if they still hold.
    pub(super) fn supplied_now(&self, store: &SecretStore) -> Option<Supplied> {
        if self.0.credentials.is_empty() {
            return Some(Supplied::default());
        }
        let mut kept = self.0.cached.lock();
        if let Some(cached) = &*kept
            && cached.by.is_same(store)
            && Instant::now() < cached.until
        {
            return Some(cached.supplied.clone());
        }
        let (supplied, until) = store.cached(&self.0.credentials)?;
        *kept = Some(Cached { supplied: supplied.clone(), until, by: store.clone() });
        Some(supplied)
    }
}

impl From<Credentials> for Plan {
    fn from(credentials: Credentials) -> Self {
        Self(Arc::new(Inner { credentials, cached: Mutex::default() }))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plan").field(&self.0.credentials).finish()
    }
}

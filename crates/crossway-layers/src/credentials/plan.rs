//! A caller's credential plan, with the values that were made from it.

use std::fmt;
use std::sync::Arc;

use crossway_policy::Credentials;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{SecretStore, Supplied};

/// What an upstream is sent for a caller, with what a store has made of it. Clones share both.
///
/// Whoever keeps one for the caller's next call spares the store looking for what it made. That holds for as long as the store says,
/// and for that store alone.
#[derive(Clone, Default)]
pub struct Plan(Arc<Inner>);

#[derive(Default)]
struct Inner {
    credentials: Credentials,
    made: Mutex<Option<Made>>,
}

struct Made {
    supplied: Supplied,
    until: Instant,
    by: SecretStore,
}

impl Plan {
    /// What is sent, by the policy.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// What a store supplies at this time, if that is known.
    pub(super) fn supplied_now(&self, store: &SecretStore) -> Option<Supplied> {
        if self.0.credentials.is_empty() {
            return Some(Supplied::default());
        }
        let mut kept = self.0.made.lock();
        if let Some(made) = &*kept
            && made.by.is_same(store)
            && Instant::now() < made.until
        {
            return Some(made.supplied.clone());
        }
        let (supplied, until) = store.cached(&self.0.credentials)?;
        *kept = Some(Made { supplied: supplied.clone(), until, by: store.clone() });
        Some(supplied)
    }
}

impl From<Credentials> for Plan {
    fn from(credentials: Credentials) -> Self {
        Self(Arc::new(Inner { credentials, made: Mutex::default() }))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plan").field(&self.0.credentials).finish()
    }
}

//! The share of the audit queue that one tenant may take.

use std::sync::Arc;

use crossway_policy::TenantName;
use foldhash::HashMap;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{AUDIT_SHARES, AUDIT_TENANT_PERCENT};

/// One place of a tenant's share.
pub(super) type Share = OwnedSemaphorePermit;

/// The places that each tenant has left.
pub(super) struct Shares {
    most: usize,
    of: Mutex<HashMap<TenantName, Arc<Semaphore>>>,
}

impl Shares {
    /// The shares of a log with this many places.
    pub(super) fn new(places: usize) -> Self {
        let most = places / 100 * AUDIT_TENANT_PERCENT + places % 100 * AUDIT_TENANT_PERCENT / 100;
        Self { most: most.max(1), of: Mutex::default() }
    }

    /// A place, if the tenant has one left.
    pub(super) fn take_now(&self, tenant: &TenantName) -> Option<Share> {
        self.of(tenant).try_acquire_owned().ok()
    }

    /// A place, once the tenant has one left.
    pub(super) async fn take(&self, tenant: &TenantName) -> Option<Share> {
        // The semaphore is never closed.
        self.of(tenant).acquire_owned().await.ok()
    }

    fn of(&self, tenant: &TenantName) -> Arc<Semaphore> {
        let mut of = self.of.lock();
        if let Some(left) = of.get(tenant) {
            return Arc::clone(left);
        }
        if of.len() >= AUDIT_SHARES {
            // Calls that have a place or wait for one hold the semaphore too.
            of.retain(|_, left| Arc::strong_count(left) > 1);
        }
        let left = Arc::new(Semaphore::new(self.most));
        of.insert(tenant.clone(), Arc::clone(&left));
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_that_are_gone_are_forgotten_and_those_with_places_are_not() {
        let shares = Shares::new(4);
        let of = |number: usize| TenantName::new(format!("t{number}")).unwrap();
        let held: Vec<_> = (0..3).map(|_| shares.take_now(&of(0)).unwrap()).collect();
        for number in 1..AUDIT_SHARES * 3 {
            assert!(shares.take_now(&of(number)).is_some());
        }
        assert!(shares.take_now(&of(0)).is_none());
        assert!(shares.of.lock().len() <= AUDIT_SHARES);
        drop(held);
        assert!(shares.take_now(&of(0)).is_some());
    }

    #[test]
    fn there_is_a_place_however_few_there_are() {
        let of = |places| Shares::new(places).most;
        assert_eq!([1, 2, 3, 4, 8, 65_536].map(of), [1, 1, 2, 3, 6, 49_152]);
    }
}

//! Bounds on the sessions of a tenant and of each of its users.

use std::collections::HashMap;
use std::sync::Arc;

use crossway_policy::TenantName;
use crossway_router::ScopeKey;
use crossway_service::SessionLimiter;
use parking_lot::Mutex;

use super::limits::{SESSIONS_TENANT_PERCENT, SESSIONS_USER_PERCENT, SHARES};

/// The session limits of all tenants and users that have called. They outlive reloads of the config, as sessions do. Clones share them.
#[derive(Clone)]
pub(crate) struct SessionLimiters(Arc<Inner>);

struct Inner {
    sessions: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    tenants: HashMap<TenantName, SessionLimiter>,
    users: HashMap<ScopeKey, SessionLimiter>,
    /// The number of users at which the unused limits are removed next.
    sweep_at: usize,
}

impl SessionLimiters {
    /// Limits for a gateway that may have `sessions` sessions.
    pub(crate) fn new(sessions: usize) -> Self {
        Self(Arc::new(Inner { sessions, kept: Mutex::default() }))
    }

    /// The limit of a user, which is within that of the tenant.
    pub(crate) fn of(&self, tenant: &TenantName, user: &ScopeKey) -> SessionLimiter {
        let most = |percent: usize| (self.0.sessions * percent / 100).max(1);
        let mut kept = self.0.kept.lock();
        if let Some(share) = kept.users.get(user) {
            return share.clone();
        }
        if kept.users.len() >= kept.sweep_at.max(SHARES) {
            kept.users.retain(|_, share| !share.is_unused());
            kept.sweep_at = kept.users.len() * 2;
        }
        let of_tenant = kept
            .tenants
            .entry(tenant.clone())
            .or_insert_with(|| SessionLimiter::new(most(SESSIONS_TENANT_PERCENT)));
        // All anonymous callers together are one user, so they have the whole limit of their tenant.
        let share = if tenant.is_anonymous() {
            of_tenant.clone()
        } else {
            of_tenant.within(most(SESSIONS_USER_PERCENT))
        };
        kept.users.insert(user.clone(), share.clone());
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_same_for_a_user_and_within_the_tenants_for_all_of_it() {
        let shares = SessionLimiters::new(8);
        let acme = TenantName::new("acme").unwrap();
        let of = |user: &str| shares.of(&acme, &ScopeKey::new(user));
        let alice: Vec<_> = std::iter::from_fn(|| of("alice").try_acquire()).collect();
        let ann: Vec<_> = std::iter::from_fn(|| of("ann").try_acquire()).collect();
        assert_eq!((alice.len(), ann.len()), (4, 2));
        let globex = shares.of(&TenantName::new("globex").unwrap(), &ScopeKey::new("bob"));
        assert!(globex.try_acquire().is_some());
    }

    #[test]
    fn however_many_call_a_share_that_somebody_has_stays_the_user_s_only_one() {
        let shares = SessionLimiters::new(8);
        let acme = TenantName::new("acme").unwrap();
        let of = |user: &str| shares.of(&acme, &ScopeKey::new(user));
        // A caller's standing has it, who has no session yet.
        let alice = of("alice");
        (0..SHARES).for_each(|number| drop(of(&number.to_string())));
        let sessions: Vec<_> = std::iter::from_fn(|| alice.try_acquire()).collect();
        assert_eq!(sessions.len(), 4);
        assert!(of("alice").try_acquire().is_none());
        assert!(shares.0.kept.lock().users.len() < SHARES);
    }
}

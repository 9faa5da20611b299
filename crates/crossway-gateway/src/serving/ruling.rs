//! What holds now, and is another after a reload: the policy, who proves what how, and who shares what.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crossway_policy::config::Holder;

use super::standing::Standings;
use crate::config::file::ScopeFile;
use crate::config::{Loaded, UpstreamSpec};
use crate::identity::Identity;

/// What holds at one time.
pub(crate) struct Ruling {
    pub(crate) identity: Identity,
    pub(crate) standings: Standings,
    /// Who shares what each upstream says.
    pub(crate) scopes: HashMap<String, ScopeFile>,
    /// The endpoints that choose a tenant.
    pub(crate) endpoints: BTreeMap<String, Arc<str>>,
}

impl Ruling {
    /// What a config says holds. Each has a generation of its own.
    pub(crate) fn of(loaded: Loaded, upstreams: &[UpstreamSpec], generation: u64) -> Self {
        let identity = loaded.identity;
        let policy = loaded.policy;
        let scopes = upstreams
            .iter()
            .map(|spec| (spec.name.clone(), narrowed(spec.scope, policy.narrowest_holder(&spec.name))));
        let scopes = scopes.collect();
        let endpoints = policy.endpoints().into_iter().map(|name| (name.clone(), name.into())).collect();
        Self { identity, scopes, endpoints, standings: Standings::new(policy, generation) }
    }
}

/// A scope that shares no credential more widely than whose it is.
fn narrowed(scope: ScopeFile, holder: Option<Holder>) -> ScopeFile {
    match (scope, holder) {
        (ScopeFile::Shared, Some(Holder::Tenant)) => ScopeFile::Tenant,
        (ScopeFile::Shared | ScopeFile::Tenant, Some(Holder::User)) => ScopeFile::User,
        (scope, _) => scope,
    }
}

/// What holds now. Clones share it.
#[derive(Clone)]
pub(crate) struct Now(Arc<RwLock<Arc<Ruling>>>);

impl Now {
    pub(crate) fn new(ruling: Ruling) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(ruling))))
    }

    pub(crate) fn get(&self) -> Arc<Ruling> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this holds.
    pub(crate) fn set(&self, ruling: Ruling) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ruling);
    }
}

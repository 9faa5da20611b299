//! The policy, identity and scopes in force, replaced as a whole by a reload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use crossway_dial::Proxies;
use crossway_policy::config::Holder;
use foldhash::HashMap;

use super::actor::Actors;
use super::session_limiters::SessionLimiters;
use crate::config::file::ScopeFile;
use crate::config::{Loaded, UpstreamSpec};
use crate::identity::{Caller, Identity};
use crate::metrics::Metrics;
use crate::plan::UpstreamPlan;

/// Everything derived from one loaded config: policy, identity, scopes and plans. Immutable; a reload replaces it as a whole.
pub(crate) struct PolicySnapshot {
    pub(crate) identity: Identity,
    /// What is asked for goes through these, unless it is an upstream's that has its own.
    pub(crate) proxies: Proxies,
    pub(crate) actors: Actors,
    /// Who shares what each upstream says.
    pub(crate) scopes: HashMap<String, ScopeFile>,
    /// What each upstream is.
    pub(crate) plans: HashMap<String, UpstreamPlan>,
    /// The tools of each upstream that are not there, where there are such.
    pub(crate) disabled_tools: BTreeMap<String, BTreeSet<String>>,
    /// Upstreams by what the names of their tools begin with.
    pub(crate) by_prefix: HashMap<String, String>,
    /// Whether tools are served as OpenAPI, and whom those are taken for who fetch a document and give no proof of who they are.
    pub(crate) openapi: Option<Option<Caller>>,
    /// Whether what it depends on is what the item says of itself.
    pub(crate) looks_at_hints: bool,
    /// Whether an upstream asks which chat a call belongs to.
    pub(crate) asks_for_chats: bool,
    /// The endpoints that choose a tenant, by their only segment: as the policy writes them.
    pub(crate) endpoints: BTreeMap<String, Arc<str>>,
}

impl PolicySnapshot {
    /// What a config says holds, after what held before. `metrics` are those of all that holds after each other.
    pub(crate) fn of(
        loaded: Loaded,
        upstreams: &[UpstreamSpec],
        before: Option<&Self>,
        metrics: &Metrics,
    ) -> Self {
        let identity = loaded.identity;
        let openapi =
            loaded.openapi.map(|openapi| openapi.document_for.map(|who| Caller::new(who.to_principal())));
        let policy = loaded.policy;
        let scopes = upstreams
            .iter()
            .map(|spec| (spec.name.clone(), scope_of(spec, policy.narrowest_holder(&spec.name))));
        let scopes = scopes.collect();
        let segment = |path: &str| path.trim_start_matches('/').to_owned();
        let endpoints = policy.endpoints().into_iter().map(|path| (segment(&path), path.into())).collect();
        let by_prefix = upstreams.iter().map(|spec| (spec.prefix.clone(), spec.name.clone())).collect();
        let disabled = upstreams.iter().filter(|spec| !spec.disabled_tools.is_empty());
        let disabled_tools = disabled.map(|spec| (spec.name.clone(), spec.disabled_tools.clone())).collect();
        let asks_for_chats = upstreams.iter().any(|spec| spec.plan.asks_for_chats());
        let plans = upstreams.iter().map(|spec| (spec.name.clone(), spec.plan.clone())).collect();
        Self {
            identity,
            proxies: loaded.proxies,
            scopes,
            plans,
            disabled_tools,
            by_prefix,
            openapi,
            looks_at_hints: policy.looks_at_hints(),
            asks_for_chats,
            endpoints,
            actors: match before {
                Some(before) => Actors::after(&before.actors, policy),
                None => Actors::new(policy, SessionLimiters::new(loaded.limits.sessions), metrics.clone()),
            },
        }
    }
}

/// Who shares an upstream. What speaks no MCP has no state but the credentials of its requests, which are a part of the key of each
/// instance, and what it says of itself is the same for all.
fn scope_of(spec: &UpstreamSpec, holder: Option<Holder>) -> ScopeFile {
    match spec.plan {
        UpstreamPlan::Api(_) => ScopeFile::Shared,
        _ => spec.scope.narrowed(holder),
    }
}

/// The snapshot in force, swapped atomically by a reload. Clones share it.
#[derive(Clone)]
pub(crate) struct CurrentPolicy(Arc<ArcSwap<PolicySnapshot>>);

impl CurrentPolicy {
    pub(crate) fn new(snapshot: PolicySnapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(snapshot)))
    }

    /// Loads the snapshot without touching a reference count. Keep the guard short-lived.
    pub(crate) fn get(&self) -> Guard<Arc<PolicySnapshot>> {
        self.0.load()
    }

    /// Replaces the snapshot and returns the previous one, whose thousands of grants take a while to drop: do that where nobody waits.
    pub(crate) fn set(&self, snapshot: PolicySnapshot) -> Arc<PolicySnapshot> {
        self.0.swap(Arc::new(snapshot))
    }
}

//! The policy, identity and scopes in force, replaced as a whole by a reload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use crossway_dial::Proxies;
use crossway_policy::config::Holder;
use foldhash::HashMap;

use super::actor::Actors;
use super::question::Asked;
use super::session_limiters::SessionLimiters;
use crate::config::file::ScopeFile;
use crate::config::{Loaded, UpstreamSpec};
use crate::identity::{Caller, Identity};
use crate::metrics::Metrics;
use crate::plan::UpstreamPlan;

/// Everything derived from one loaded config: policy, identity, scopes and plans. Immutable; a reload replaces it as a whole.
pub(crate) struct PolicySnapshot {
    pub(crate) identity: Identity,
    /// The proxies of outgoing requests, unless an upstream has its own.
    pub(crate) proxies: Proxies,
    pub(crate) actors: Actors,
    /// The scope of each upstream: who shares its connections and its lists.
    pub(crate) scopes: HashMap<String, ScopeFile>,
    /// How each upstream is reached.
    pub(crate) plans: HashMap<String, UpstreamPlan>,
    /// The names of the upstreams that are switched off.
    pub(crate) switched_off: BTreeSet<String>,
    /// The disabled tools of each upstream that has some.
    pub(crate) disabled_tools: BTreeMap<String, BTreeSet<String>>,
    /// The names of upstreams by the prefixes of their tools.
    by_prefix: HashMap<String, String>,
    /// Whether each prefix is its upstream's name, as it is by default.
    prefixes_are_names: bool,
    /// Whether tools are served as OpenAPI, and as which caller somebody is treated who fetches a document without authentication.
    pub(crate) openapi: Option<Option<Caller>>,
    /// Whether a rule depends on the annotations of tools.
    pub(crate) looks_at_hints: bool,
    /// Whether an upstream needs to know which chat a call belongs to.
    pub(crate) asks_for_chats: bool,
    /// The endpoints that choose a tenant, by their only path segment, each as the policy writes it.
    pub(crate) endpoints: BTreeMap<String, Arc<str>>,
}

impl PolicySnapshot {
    /// The snapshot of a config, which takes over the counts of the one before. `metrics` are shared by all snapshots.
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
        let prefixes_are_names = upstreams.iter().all(|spec| spec.prefix == spec.name);
        let disabled = upstreams.iter().filter(|spec| !spec.disabled_tools.is_empty());
        let disabled_tools = disabled.map(|spec| (spec.name.clone(), spec.disabled_tools.clone())).collect();
        let asks_for_chats = upstreams.iter().any(|spec| spec.plan.asks_for_chats());
        let plans = upstreams.iter().map(|spec| (spec.name.clone(), spec.plan.clone())).collect();
        Self {
            identity,
            proxies: loaded.proxies,
            scopes,
            plans,
            switched_off: loaded.switched_off,
            disabled_tools,
            by_prefix,
            prefixes_are_names,
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

    /// The policy's name of the upstream whose tools have this prefix. For an upstream that is gone, a name that `scopes` does not have.
    pub(crate) fn name_of<'a>(&'a self, prefix: &'a str) -> &'a str {
        match self.prefixes_are_names {
            true => prefix,
            false => self.by_prefix.get(prefix).map_or("", String::as_str),
        }
    }

    /// What the config says of an upstream that an operator asks about.
    pub(crate) fn asked(&self, upstream: &str) -> Asked<'_> {
        match self.by_prefix.iter().find(|(_, name)| *name == upstream) {
            Some((prefix, _)) => Asked::Served { prefix, disabled_tools: self.disabled_tools.get(upstream) },
            None if self.switched_off.contains(upstream) => Asked::SwitchedOff,
            None => Asked::Unknown,
        }
    }
}

/// The scope of an upstream. An API or a webhook has no state but the credentials of its requests, which are a part of the key of each
/// instance, and its description is the same for all callers.
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

    /// Replaces the snapshot and returns the previous one. Drop that where nobody waits: freeing thousands of grants takes a while.
    pub(crate) fn set(&self, snapshot: PolicySnapshot) -> Arc<PolicySnapshot> {
        self.0.swap(Arc::new(snapshot))
    }
}

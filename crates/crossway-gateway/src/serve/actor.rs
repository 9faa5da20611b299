//! A caller's rights at an endpoint, cached across requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossway_layers::credentials::Plan;
use crossway_layers::limit::{LimitOptions, Quota, QuotaList, RequestCounts};
use crossway_policy::{Policy, Principal, Rights, TenantDenied, ViewId};
use crossway_router::ScopeKey;
use crossway_service::{Extensions, SessionLimiter};
use foldhash::HashMap;
use parking_lot::{Mutex, MutexGuard};

use super::limits::{ACTOR_UPSTREAMS, ACTORS};
use super::session_limiters::SessionLimiters;
use crate::config::file::ScopeFile;
use crate::identity::Caller;
use crate::joined::joined;
use crate::metrics::{Metrics, TenantMeter};

/// A caller's rights at one endpoint, under one policy. Each request carries it in its extensions; clones are cheap.
#[derive(Clone)]
pub(crate) struct Actor(Arc<Inner>);

struct Inner {
    endpoint: Option<Arc<str>>,
    generation: u64,
    rights: Rights,
    /// Callers who see the same lists share this key.
    view: ScopeKey,
    /// Callers of one tenant share this key.
    tenant: ScopeKey,
    /// Only this caller, as a member of this tenant, has this key.
    user: ScopeKey,
    /// What each of the caller's requests carries: who calls, the tenant, the owner of its sessions, and the limiters of its sessions
    /// and requests.
    extensions: Extensions,
    /// The tenant's metrics.
    meter: Arc<TenantMeter>,
    /// Whether the caller reaches several upstreams. Unset until that is asked for the first time.
    sees_several: OnceLock<bool>,
    upstreams: Mutex<Vec<ToUpstream>>,
}

/// What is cached per upstream.
#[derive(Default)]
struct ToUpstream {
    name: Box<str>,
    plan: Option<Plan>,
    /// The key of connections, with the scope and the version of credentials that it was made for.
    key: Option<(ScopeFile, Box<str>, ScopeKey)>,
    quotas: Option<QuotaList>,
}

impl Actor {
    pub(crate) fn rights(&self) -> &Rights {
        &self.0.rights
    }

    /// The generation of the policy that it was made under.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation
    }

    pub(crate) fn endpoint(&self) -> Option<&Arc<str>> {
        self.0.endpoint.as_ref()
    }

    pub(crate) fn view(&self) -> &ScopeKey {
        &self.0.view
    }

    pub(crate) fn tenant(&self) -> &ScopeKey {
        &self.0.tenant
    }

    pub(crate) fn user(&self) -> &ScopeKey {
        &self.0.user
    }

    /// The extensions of a request, with this actor among them.
    pub(crate) fn extensions(&self) -> Extensions {
        let mut extensions = self.0.extensions.clone();
        extensions.insert(self.clone());
        extensions
    }

    pub(crate) fn meter(&self) -> &TenantMeter {
        &self.0.meter
    }

    /// Whether the caller reaches at least two upstreams. The first answer is cached, so `upstreams` must be all upstreams of the policy
    /// that this actor was made under.
    pub(crate) fn sees_several<'a>(&self, upstreams: impl Iterator<Item = &'a String>) -> bool {
        let several = || upstreams.filter(|upstream| self.rights().reaches(upstream)).nth(1).is_some();
        *self.0.sees_several.get_or_init(several)
    }

    /// The credentials that an upstream is sent for the caller. They are cached, so `make` must depend on nothing but the policy that
    /// this actor was made under.
    pub(crate) fn plan<E>(&self, upstream: &str, make: impl FnOnce() -> Result<Plan, E>) -> Result<Plan, E> {
        self.to_upstream(upstream, |kept| match &kept.plan {
            Some(plan) => Ok(plan.clone()),
            None => Ok(kept.plan.insert(make()?).clone()),
        })
    }

    /// The quotas that all of the caller's calls to an upstream count against. They are cached, so `make` must depend on nothing but the
    /// policy that this actor was made under.
    pub(crate) fn quotas(&self, upstream: &str, make: impl FnOnce() -> QuotaList) -> QuotaList {
        self.to_upstream(upstream, |kept| QuotaList::clone(kept.quotas.get_or_insert_with(make)))
    }

    /// The key of the caller's connections to an upstream with this scope, made with credentials of this version. Only the last key is
    /// cached, and `make` must depend on nothing but the caller, the scope and the version.
    pub(crate) fn key(
        &self,
        upstream: &str,
        scope: ScopeFile,
        version: &str,
        make: impl FnOnce() -> ScopeKey,
    ) -> ScopeKey {
        self.to_upstream(upstream, |kept| match &kept.key {
            Some((of, made_with, key)) if *of == scope && **made_with == *version => key.clone(),
            _ => kept.key.insert((scope, version.into(), make())).2.clone(),
        })
    }

    fn to_upstream<R>(&self, name: &str, with: impl FnOnce(&mut ToUpstream) -> R) -> R {
        let mut upstreams = self.0.upstreams.lock();
        if let Some(kept) = upstreams.iter_mut().find(|kept| *kept.name == *name) {
            return with(kept);
        }
        let mut new = ToUpstream { name: name.into(), ..ToUpstream::default() };
        let found = with(&mut new);
        if upstreams.len() >= ACTOR_UPSTREAMS {
            upstreams.remove(0);
        }
        upstreams.reserve_exact(1);
        upstreams.push(new);
        found
    }
}

/// The actors of the callers so far, under one policy.
pub(crate) struct Actors {
    policy: Policy,
    generation: u64,
    shares: SessionLimiters,
    /// The counts outlive reloads: where as much is allowed as before, counting goes on.
    requests: RequestCounts,
    metrics: Metrics,
    kept: Mutex<Kept>,
}

/// The keys of views. A policy shares them with the next one, so that nobody waits while thousands are copied.
type Views = Arc<HashMap<ViewId, ScopeKey>>;

#[derive(Default)]
struct Kept {
    /// By caller (issuer and subject) and endpoint.
    actors: HashMap<(Principal, Option<Arc<str>>), Actor>,
    views: Views,
    /// The views of the policy before, or from before room was made. Callers who see the same as then keep their key, and with it what
    /// is cached for it.
    views_before: Views,
    /// Numbers the views of all policies, so that equal keys always mean equal views.
    numbers: Arc<AtomicU64>,
}

impl Kept {
    /// The cached actor of a caller of whom exactly the same was known.
    fn actor(&self, who: &(Principal, Option<Arc<str>>)) -> Option<Actor> {
        let actor = self.actors.get(who)?;
        actor.rights().principal().is_known_alike(&who.0).then(|| actor.clone())
    }

    fn view(&mut self, id: &ViewId) -> ScopeKey {
        if let Some(key) = self.views.get(id) {
            return key.clone();
        }
        let number = || self.numbers.fetch_add(1, Ordering::Relaxed);
        let before = self.views_before.get(id).cloned();
        let key = before.unwrap_or_else(|| ScopeKey::new(format!("view {}", number())));
        Arc::make_mut(&mut self.views).insert(id.clone(), key.clone());
        key
    }

    /// Makes room for one more. A single caller can have many views, if it comes with other groups each time.
    fn make_room(&mut self) {
        if self.actors.len() >= ACTORS || self.views.len() >= ACTORS {
            self.actors.clear();
            self.views_before = std::mem::take(&mut self.views);
        }
    }
}

impl Actors {
    /// The actors of the first policy.
    pub(crate) fn new(policy: Policy, shares: SessionLimiters, metrics: Metrics) -> Self {
        let requests = RequestCounts::new(LimitOptions::default());
        Self { policy, generation: 0, shares, requests, metrics, kept: Mutex::default() }
    }

    /// The actors of the policy that comes after `before`'s.
    pub(crate) fn after(before: &Self, policy: Policy) -> Self {
        let kept = {
            let kept = before.kept();
            let (views_before, numbers) = (Arc::clone(&kept.views), Arc::clone(&kept.numbers));
            Kept { views_before, numbers, ..Kept::default() }
        };
        let (shares, requests) = (before.shares.clone(), before.requests.clone());
        let (generation, metrics) = (before.generation + 1, before.metrics.clone());
        Self { policy, generation, shares, requests, metrics, kept: Mutex::new(kept) }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The actor of a caller at an endpoint.
    ///
    /// # Errors
    ///
    /// When the caller belongs to no tenant there. The reason is for operators.
    pub(crate) fn of(
        &self,
        principal: &Principal,
        endpoint: Option<&Arc<str>>,
    ) -> Result<Actor, TenantDenied> {
        let rights = || self.policy.rights_at(principal, endpoint.map(|endpoint| &**endpoint));
        self.of_or(principal, endpoint, rights)
    }

    /// Like [`of`](Self::of), with `make` for the rights of a caller who is not known yet. Other callers don't wait while `make` looks at
    /// the grants and evaluates their conditions.
    fn of_or(
        &self,
        principal: &Principal,
        endpoint: Option<&Arc<str>>,
        make: impl FnOnce() -> Result<Rights, TenantDenied>,
    ) -> Result<Actor, TenantDenied> {
        let who = (principal.clone(), endpoint.cloned());
        if let Some(actor) = self.kept().actor(&who) {
            return Ok(actor);
        }
        let rights = make()?;
        let mut kept = self.kept();
        // Another request of the same caller may have been first.
        if let Some(actor) = kept.actor(&who) {
            return Ok(actor);
        }
        kept.make_room();
        let actor = self.make(&mut kept, rights, endpoint);
        kept.actors.insert(who, actor.clone());
        Ok(actor)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock()
    }

    fn make(&self, kept: &mut Kept, rights: Rights, endpoint: Option<&Arc<str>>) -> Actor {
        let (principal, tenant) = (rights.principal(), rights.tenant());
        let view = kept.view(rights.view());
        let user = joined(&[tenant.as_str(), principal.issuer(), principal.subject()]);
        let user = ScopeKey::new(joined(&["user", &user]));
        let meter = self.metrics.tenant(tenant.as_str());
        let quotas = Quota::of_requests(&self.policy.request_quotas(principal, tenant));
        let mut extensions = Caller::new(principal.clone()).extensions().clone();
        extensions.insert(tenant.clone());
        extensions.insert::<SessionLimiter>(self.shares.of(tenant, &user));
        if !quotas.is_empty() {
            let meter = Arc::clone(&meter);
            extensions.insert(self.requests.bound(quotas, move |over| meter.refused(over.into())));
        }
        Actor(Arc::new(Inner {
            endpoint: endpoint.cloned(),
            generation: self.generation,
            view,
            tenant: ScopeKey::new(joined(&["tenant", tenant.as_str()])),
            extensions,
            meter,
            sees_several: OnceLock::new(),
            upstreams: Mutex::default(),
            user,
            rights,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crossway_policy::{PolicyConfig, Proof, UpstreamFacts};
    use crossway_service::RequestLimiter;
    use serde_json::json;

    use super::*;

    fn policy() -> Policy {
        let config: PolicyConfig = serde_json::from_value(json!({
            "tenants": { "acme": { "groups": ["acme"] }, "globex": { "groups": ["globex"] } },
            "grants": [
                { "tenant": "acme", "upstream": "wiki", "tools": ["*"] },
                { "tenant": "acme", "group": "admins", "upstream": "wiki", "prompts": ["*"] },
                { "tenant": "globex", "upstream": "wiki", "tools": ["*"] },
            ],
        }))
        .unwrap();
        let facts = [UpstreamFacts { name: "wiki".into(), trusted: false }];
        Policy::compile(&config, &facts).unwrap()
    }

    fn actors() -> Actors {
        Actors::new(policy(), SessionLimiters::new(8), Metrics::new())
    }

    fn caller(subject: &str, groups: &[&str]) -> Principal {
        Principal::new("i", subject, Proof::Jwt).with_groups(groups.iter().copied())
    }

    #[test]
    fn those_of_the_same_rights_have_the_same_view_and_nobody_has_anothers_scope() {
        let actors = actors();
        let of = |subject: &str, groups: &[&str]| actors.of(&caller(subject, groups), None).unwrap();
        let (alice, bob, carol) = (of("alice", &["acme"]), of("bob", &["acme"]), of("carol", &["globex"]));
        assert_eq!(alice.view(), bob.view());
        assert_ne!(alice.user(), bob.user());
        assert_eq!(alice.tenant(), bob.tenant());
        assert_ne!(alice.tenant(), carol.tenant());
        let admin = of("alice", &["acme", "admins"]);
        assert_ne!(admin.view(), alice.view());
        assert_eq!(admin.user(), alice.user());
    }

    #[test]
    fn who_comes_with_other_groups_gets_other_rights_at_once() {
        let actors = actors();
        assert!(actors.of(&caller("alice", &["acme"]), None).is_ok());
        assert!(actors.of(&caller("alice", &[]), None).is_err());
        assert!(actors.of(&caller("alice", &["acme", "globex"]), None).is_err());
    }

    #[test]
    fn who_is_known_does_not_wait_while_anothers_rights_are_made() {
        let actors = actors();
        let (alice, bob) = (caller("alice", &["acme"]), caller("bob", &["globex"]));
        let known = actors.of(&alice, None).unwrap();
        let made = actors.of_or(&bob, None, || {
            // Who has to wait here waits for themselves.
            assert!(actors.kept.try_lock().is_some(), "all wait while rights are made");
            assert_eq!(actors.of(&alice, None).unwrap().user(), known.user());
            actors.of(&bob, None).unwrap();
            actors.policy().rights_at(&bob, None)
        });
        // Another request of the same caller's was first.
        assert!(Arc::ptr_eq(&made.unwrap().0, &actors.of(&bob, None).unwrap().0));
    }

    #[test]
    fn who_sees_the_same_after_a_reload_has_the_same_view_and_no_other_has() {
        let before = actors();
        let of = |actors: &Actors, subject: &str, groups: &[&str]| {
            actors.of(&caller(subject, groups), None).unwrap().view().clone()
        };
        let (alice, carol) = (of(&before, "alice", &["acme"]), of(&before, "carol", &["acme", "admins"]));
        let after = Actors::after(&before, policy());
        assert_eq!(after.generation(), before.generation() + 1);
        assert_eq!(of(&after, "carol", &["acme", "admins"]), carol);
        assert_eq!(of(&after, "ann", &["acme"]), alice);
        // Globex sees what acme sees, and what was asked for by nobody before has a number of its own.
        assert_eq!(of(&after, "bob", &["globex"]), alice);
        let last = Actors::after(&after, policy());
        assert_eq!(of(&last, "alice", &["acme"]), alice);
        assert_ne!(of(&last, "carol", &["acme", "admins"]), alice);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_count_on_after_a_reload_where_as_much_is_allowed_and_anew_where_it_is_not() {
        let policy = |requests: &str| {
            let config = json!({
                "tenants": { "acme": { "groups": ["acme"] }, "globex": { "groups": ["globex"] } },
                "quotas": [{ "tenant": "acme", "requests": requests }],
            });
            Policy::compile(&serde_json::from_value(config).unwrap(), &[]).unwrap()
        };
        let left = |actors: &Actors, subject: &str, group: &str| {
            let actor = actors.of(&caller(subject, &[group]), None).unwrap();
            std::iter::from_fn(|| RequestLimiter::admit_if_any(actor.extensions().get()).ok())
                .take(100)
                .count()
        };
        let before = Actors::new(policy("40/s"), SessionLimiters::new(8), Metrics::new());
        assert_eq!(left(&before, "alice", "acme"), 20);
        let same = Actors::after(&before, policy("40/s"));
        assert_eq!((left(&same, "alice", "acme"), left(&same, "ann", "acme")), (0, 20));
        // The same with another e-mail address, token or group: who it is counts.
        assert_eq!(left(&same, "alice", "acme"), 0);
        assert_eq!(left(&same, "alice", "globex"), 100);
        assert_eq!(left(&Actors::after(&same, policy("20/s")), "alice", "acme"), 10);
        let text = same.metrics.scrape(&[], &[], None);
        let line = r#"crossway_quota_refusals_total{tenant="acme",bound="requests"} "#;
        assert!(text.lines().any(|told| told.starts_with(line) && !told.ends_with(" 0")), "{text}");
    }

    #[test]
    fn what_was_found_out_of_an_upstream_is_kept_for_it_alone_and_of_few() {
        let actor = actors().of(&caller("alice", &["acme"]), None).unwrap();
        let names: Vec<String> = (0..=ACTOR_UPSTREAMS).map(|number| number.to_string()).collect();
        let is_made = |name: &String| {
            let mut is_made = false;
            let make = || {
                is_made = true;
                Ok::<_, ()>(Plan::default())
            };
            actor.plan(name, make).unwrap();
            is_made
        };
        assert!(actor.plan(&names[0], || Err(())).is_err());
        assert!(is_made(&names[0]) && !is_made(&names[0]));
        assert!(names[1..].iter().all(is_made));
        assert!(!is_made(&names[1]) && is_made(&names[0]) && is_made(&names[1]));
        assert_eq!(actor.0.upstreams.lock().len(), ACTOR_UPSTREAMS);
    }

    #[test]
    fn a_key_is_made_anew_for_another_scope_and_for_another_version() {
        let actor = actors().of(&caller("alice", &["acme"]), None).unwrap();
        let key = |upstream: &str, scope, version: &str, made: &str| {
            actor.key(upstream, scope, version, || ScopeKey::new(made)).as_str().to_owned()
        };
        assert_eq!(key("wiki", ScopeFile::User, "1", "a"), "a");
        assert_eq!(key("wiki", ScopeFile::User, "1", "b"), "a");
        assert_eq!(key("jira", ScopeFile::User, "1", "c"), "c");
        assert_eq!(key("wiki", ScopeFile::Tenant, "1", "d"), "d");
        assert_eq!(key("wiki", ScopeFile::Tenant, "2", "e"), "e");
        assert_eq!(key("wiki", ScopeFile::User, "1", "f"), "f");
    }

    #[test]
    fn what_is_kept_has_a_bound_and_who_comes_back_has_the_same_view() {
        // Each of these groups has a grant of its own, so that each choice of them is a view.
        let groups: Vec<String> = (0..15).map(|number| format!("g{number}")).collect();
        let grant = |group: &String| json!({ "tenant": "acme", "group": group, "upstream": "wiki", "tools": [group] });
        let grants: Vec<_> = groups.iter().map(grant).collect();
        let config = json!({ "tenants": { "acme": { "groups": ["acme"] } }, "grants": grants });
        let facts = [UpstreamFacts { name: "wiki".into(), trusted: false }];
        let policy = Policy::compile(&serde_json::from_value(config).unwrap(), &facts).unwrap();
        let actors = Actors::new(policy, SessionLimiters::new(8), Metrics::new());
        let view = |choice: usize| {
            let chosen = groups.iter().enumerate().filter(|(number, _)| (choice >> number) & 1 == 1);
            let chosen: Vec<&str> = chosen.map(|(_, group)| group.as_str()).chain(["acme"]).collect();
            actors.of(&caller("alice", &chosen), None).unwrap().view().clone()
        };
        let views: HashSet<ScopeKey> = (0..=ACTORS).map(view).collect();
        assert_eq!(views.len(), ACTORS + 1);
        assert!(actors.kept.lock().views.len() <= ACTORS);
        assert!(views.contains(&view(1)) && views.contains(&view(ACTORS)));
    }
}

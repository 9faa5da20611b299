//! Applies the policy's quotas in the limit layer.

use std::any::Any;

use crossway_layers::limit::{OverQuota, Quota, QuotaList, Quotas};
use crossway_policy::{Kind, Permit, Principal, QuotaKey};
use crossway_router::{Bound, ScopeKey};
use crossway_service::{Call, Context};

use super::actor::Actor;
use super::current_policy::CurrentPolicy;
use crate::config::file::ScopeFile;
use crate::joined::joined;
use crate::metrics::{Metrics, QuotaBound};

/// Finds the quotas that a permitted call counts against.
pub(super) struct PolicyQuotas {
    pub(super) current: CurrentPolicy,
    pub(super) metrics: Metrics,
}

impl Quotas for PolicyQuotas {
    fn quotas(&self, call: &Call) -> QuotaList {
        let extensions = &call.context.extensions;
        let Some(permit) = extensions.get::<Permit>() else { return QuotaList::default() };
        let snapshot = self.current.get();
        let (policy, caller) = (snapshot.actors.policy(), permit.principal());
        let make = || {
            let tool = (permit.kind() == Kind::Tool).then(|| &**permit.name());
            Quota::all_of_policy(&policy.quotas(caller, permit.tenant(), permit.upstream(), tool), caller)
        };
        // The quotas are cached only for the policy in force and the caller who has the permit, and only if they are the same for all items.
        let is_of = |actor: &&Actor| {
            let rights = actor.rights();
            actor.generation() == snapshot.actors.generation()
                && rights.principal().is_known_alike(caller)
                && rights.tenant() == permit.tenant()
        };
        match extensions.get::<Actor>().filter(is_of) {
            Some(actor) if !policy.has_quotas_of_tools() => actor.quotas(permit.upstream(), make),
            _ => make(),
        }
    }

    fn refused(&self, context: &Context, by: OverQuota) {
        refused(context, by.into());
    }

    fn waits(&self, context: &Context, bytes: usize) -> Option<Box<dyn Any + Send>> {
        let (actor, permit) = (context.extensions.get::<Actor>()?, context.extensions.get::<Permit>()?);
        let calls = self.metrics.calls_of(actor.meter(), permit.upstream());
        Some(Box::new(calls.hold_request(bytes)))
    }
}

/// Counts a call that a quota refuses.
pub(super) fn refused(context: &Context, bound: QuotaBound) {
    if let Some(actor) = context.extensions.get::<Actor>() {
        actor.meter().refused(bound);
    }
}

/// The bounds on processes that starting an instance of an upstream counts against. A process that all users of a tenant share counts
/// for the tenant; one that all tenants share counts for nobody.
pub(super) fn children(current: &CurrentPolicy, upstream: &str, context: &Context) -> Vec<Bound> {
    let Some(actor) = context.extensions.get::<Actor>() else { return Vec::new() };
    let (snapshot, rights) = (current.get(), actor.rights());
    let scope = snapshot.scopes.get(upstream).copied().unwrap_or(ScopeFile::Session);
    let quotas = snapshot.actors.policy().quotas(rights.principal(), rights.tenant(), upstream, None);
    let bounds = quotas.into_iter().filter_map(|quota| {
        let most = quota.limits.children?;
        let counts = match scope {
            ScopeFile::Shared => false,
            ScopeFile::Tenant => quota.key.user.is_none(),
            ScopeFile::User | ScopeFile::Session => true,
        };
        counts.then(|| Bound::new(key(&quota.key), usize::try_from(most).unwrap_or(usize::MAX)))
    });
    bounds.collect()
}

/// The tenant that an instance counts for; `None` if there is only one tenant.
pub(super) fn tenant_among_others(current: &CurrentPolicy, context: &Context) -> Option<ScopeKey> {
    let actor = context.extensions.get::<Actor>()?;
    let is_alone = current.get().actors.policy().tenants() < 2;
    (!is_alone).then(|| actor.tenant().clone())
}

/// The tenant that a call to an upstream counts for, if tenants share the upstream.
pub(super) fn tenant_of_shared(
    current: &CurrentPolicy,
    upstream: &str,
    context: &Context,
) -> Option<ScopeKey> {
    let is_shared = current.get().scopes.get(upstream) == Some(&ScopeFile::Shared);
    is_shared.then(|| tenant_among_others(current, context)).flatten()
}

/// A key that is equal for exactly those who are counted together.
fn key(quota: &QuotaKey) -> ScopeKey {
    let user = quota.user.as_ref();
    let (issuer, subject) = (user.map(Principal::issuer), user.map(Principal::subject));
    let parts = [Some(quota.tenant.as_str()), issuer, subject, quota.upstream.as_deref()];
    // The `=` distinguishes an empty part from an absent one.
    let parts = parts.map(|part| part.map_or_else(String::new, |part| format!("={part}")));
    ScopeKey::new(joined(&parts.each_ref().map(String::as_str)))
}

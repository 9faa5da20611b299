//! Decides calls and filters lists of one upstream by the policy.

use crossway_policy::{Item, Kind, Permit, Policy, Principal, Rights, TenantName};
use crossway_service::Context;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::audit::{AuditNote, Decision};

/// The policy, and the endpoint that determines a caller's tenant.
pub(super) struct Judge {
    pub(super) policy: Policy,
    pub(super) endpoint: Option<String>,
}

/// The names in a list's item.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    uri: Option<std::borrow::Cow<'a, str>>,
    #[serde(rename = "uriTemplate", borrow)]
    template: Option<std::borrow::Cow<'a, str>>,
}

impl Judge {
    /// The caller's rights, as an outer layer has put them into the context, or found now. `None` permits nothing.
    pub(super) fn rights(&self, context: &mut Context) -> Option<Rights> {
        let who = context.extensions.get::<Principal>()?.clone();
        // Rights of another policy or another caller do not count here.
        let is_public =
            |rights: &&Rights| rights.are_of(&self.policy) && rights.principal().is_known_alike(&who);
        if let Some(rights) = context.extensions.get::<Rights>().filter(is_public) {
            return Some(rights.clone());
        }
        let found = context.extensions.get::<TenantName>().filter(|tenant| self.policy.is_of(&who, tenant));
        let rights = match found {
            Some(tenant) => self.policy.rights_unchecked(&who, tenant),
            None => self.policy.rights_at(&who, self.endpoint.as_deref()).ok()?,
        };
        context.extensions.insert(rights.tenant().clone());
        context.extensions.insert(rights.clone());
        Some(rights)
    }
}

/// Why a name is denied that differs from a denied one in case only.
const ALIKE: &str = "it is a name that is denied, but for capital letters";

/// Decides, and records the decision in the audit note.
pub(super) fn decide(
    rights: &Rights,
    item: &Item<'_>,
    arguments: Option<&str>,
    context: &Context,
) -> Option<Permit> {
    let decided = rights.decide(item, arguments);
    // It is unknown what the upstream lists: if it ignores case, the name may be a denied one.
    let is_alike = rights.denies_alike(item);
    if let Some(note) = context.extensions.get::<AuditNote>() {
        note.went_to(item.upstream, Some(item.name));
        match &decided {
            Ok(_) if is_alike => note.decided(Decision::Denied, Some(ALIKE.to_owned())),
            Ok(permit) => note.decided(Decision::Allowed, Some(permit.rule())),
            Err(denied) => note.decided(Decision::Denied, Some(denied.reason().to_string())),
        }
    }
    decided.ok().filter(|_| !is_alike)
}

/// A list without the items that the caller may not see, if there are any. Other items stay unchanged. `None` if the list can't be read.
pub(super) fn seen(rights: &Rights, upstream: &str, kind: Kind, list: &[u8]) -> Option<Option<String>> {
    let items: Vec<&RawValue> = serde_json::from_slice(list).ok()?;
    let is_seen = |item: &&&RawValue| {
        let Ok(named) = serde_json::from_str::<Named<'_>>(item.get()) else { return false };
        let name = match kind {
            Kind::Resource => named.uri,
            Kind::Template => named.template,
            _ => named.name,
        };
        name.is_some_and(|name| {
            let item = Item::new(upstream, kind, &name);
            rights.lists(&item) && !rights.denies_alike(&item)
        })
    };
    let seen: Vec<&str> = items.iter().filter(is_seen).map(|item| item.get()).collect();
    Some((seen.len() < items.len()).then(|| format!("[{}]", seen.join(","))))
}

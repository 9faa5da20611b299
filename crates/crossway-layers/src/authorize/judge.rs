//! Decides for one upstream.

use crossway_policy::{Denied, Item, Kind, Permit, Policy, Principal, Rights, TenantName};
use crossway_service::Context;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::audit::{AuditNote, Decision};

/// A policy, and the upstream that it is asked about.
pub(super) struct Judge {
    pub(super) policy: Policy,
    pub(super) endpoint: Option<String>,
}

/// A list's items as they came.
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
    /// What the caller may do: as whoever stands before has found, or as is found now. None: nothing.
    pub(super) fn rights(&self, context: &mut Context) -> Option<Rights> {
        if let Some(rights) = context.extensions.get::<Rights>() {
            return Some(rights.clone());
        }
        let who = context.extensions.get::<Principal>()?.clone();
        let tenant = match context.extensions.get::<TenantName>() {
            Some(tenant) => tenant.clone(),
            None => self.policy.tenant_of(&who, self.endpoint.as_deref()).ok()?,
        };
        let rights = self.policy.rights(&who, &tenant);
        context.extensions.insert(tenant);
        context.extensions.insert(rights.clone());
        Some(rights)
    }
}

/// Decides, and notes it for the record.
pub(super) fn decide(
    rights: &Rights,
    item: &Item<'_>,
    arguments: Option<&str>,
    context: &Context,
) -> Result<Permit, Denied> {
    let decided = rights.decide(item, arguments);
    if let Some(note) = context.extensions.get::<AuditNote>() {
        note.went_to(item.upstream, Some(item.name));
        match &decided {
            Ok(permit) => note.decided(Decision::Allowed, Some(permit.rule())),
            Err(denied) => note.decided(Decision::Denied, Some(denied.reason().to_string())),
        }
    }
    decided
}

/// A list without what the caller may not see, if there is such. Items stay the bytes that they are. `None` if it can't be read.
pub(super) fn seen(rights: &Rights, upstream: &str, kind: Kind, list: &[u8]) -> Option<Option<String>> {
    let items: Vec<&RawValue> = serde_json::from_slice(list).ok()?;
    let is_seen = |item: &&&RawValue| {
        let Ok(named) = serde_json::from_str::<Named<'_>>(item.get()) else { return false };
        let name = match kind {
            Kind::Resource => named.uri,
            Kind::Template => named.template,
            _ => named.name,
        };
        name.is_some_and(|name| rights.lists(&Item::new(upstream, kind, &name)))
    };
    let seen: Vec<&str> = items.iter().filter(is_seen).map(|item| item.get()).collect();
    Some((seen.len() < items.len()).then(|| format!("[{}]", seen.join(","))))
}

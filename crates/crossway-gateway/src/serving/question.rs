//! What operators ask of the policy: who may see and call what, and why.

use std::collections::BTreeMap;

use crossway_policy::{Explanation, Item, Kind, Policy, Principal, Proof};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A caller and a call, as operators describe them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) user: Who,
    /// The endpoint that says which tenant is meant.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    pub(crate) upstream: String,
    #[serde(default)]
    pub(crate) tool: Option<String>,
    #[serde(default)]
    pub(crate) prompt: Option<String>,
    #[serde(default)]
    pub(crate) resource: Option<String>,
    #[serde(default)]
    pub(crate) arguments: Option<Box<RawValue>>,
}

/// A caller, as its proof would describe it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Who {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) claims: BTreeMap<String, Value>,
}

impl Who {
    pub(crate) fn principal(&self) -> Principal {
        if self.subject.is_empty() && self.email.is_none() {
            return Principal::anonymous();
        }
        let subject =
            if self.subject.is_empty() { self.email.as_deref().unwrap_or_default() } else { &self.subject };
        let mut principal = Principal::new(self.issuer.as_str(), subject, Proof::Jwt)
            .with_groups(self.groups.iter().cloned())
            .with_roles(self.roles.iter().cloned());
        if let Some(email) = &self.email {
            principal = principal.with_email(email.as_str());
        }
        for (name, value) in &self.claims {
            principal = principal.with_claim(name.as_str(), value.clone());
        }
        principal
    }
}

impl Question {
    /// The policy's answer.
    ///
    /// # Errors
    ///
    /// When it is not one thing that is asked about.
    pub(crate) fn answer(&self, policy: &Policy) -> Result<Explanation, &'static str> {
        let (kind, name) = match (&self.tool, &self.prompt, &self.resource) {
            (Some(name), None, None) => (Kind::Tool, name),
            (None, Some(name), None) => (Kind::Prompt, name),
            (None, None, Some(name)) => (Kind::Resource, name),
            _ => return Err("say one of `tool`, `prompt` and `resource`"),
        };
        let item = Item::new(&self.upstream, kind, name);
        let arguments = self.arguments.as_deref().map(RawValue::get);
        Ok(policy.explain(&self.user.principal(), self.endpoint.as_deref(), &item, arguments))
    }
}

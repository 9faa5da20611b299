//! Config types of tenants and grants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::TenantName;

/// Who belongs to a tenant: whoever is in one of the groups, has an e-mail address of one of the domains, is named, or has all of
/// the claims.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TenantRule {
    /// Whoever is in one of these groups.
    pub groups: Vec<String>,
    /// Whoever has all of these claims: with this value, or with a list that has it.
    pub claims: BTreeMap<String, String>,
    /// Whoever has an e-mail address of one of these domains. Subdomains are domains of their own.
    pub email_domains: Vec<String>,
    /// These users: an e-mail address where there is an `@`, otherwise a subject.
    pub users: Vec<String>,
    /// Everybody who has proven who they are. For gateways that have one tenant.
    pub everyone: bool,
    /// Only those of whom one of these issuers says who they are. None means any.
    pub issuers: Vec<String>,
}

/// Who may see and call what, or may not. All that it says of the caller must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// What operators call it, in explanations and the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Callers of this tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Callers in this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Callers with this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// This caller: an e-mail address where there is an `@`, otherwise a subject. `anonymous` is whoever proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Callers of whom this issuer says who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Every caller who has proven who they are. Has to be said in a grant that names nobody.
    pub everyone: bool,
    /// The upstream, or a pattern.
    pub upstream: String,
    /// Patterns for names of tools, as the upstream calls them.
    pub tools: Vec<String>,
    /// Patterns for names of prompts, as the upstream calls them.
    pub prompts: Vec<String>,
    /// Patterns for URIs of resources, and for resource templates.
    pub resources: Vec<String>,
    /// Whether this is granted or denied. What is denied once is denied, whatever else grants it.
    pub effect: Effect,
    /// Only tools that a trusted upstream marks as read-only (`readOnlyHint`).
    pub read_only: bool,
    /// Only if this holds: an expression in CEL over `args`, `user` and `tenant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// Whether a grant allows or denies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It is granted.
    #[default]
    Allow,
    /// It is denied, whatever else grants it.
    Deny,
}

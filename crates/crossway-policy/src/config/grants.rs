//! Config types of tenants and grants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::TenantName;

/// Who belongs to a tenant: callers who are in one of the groups, have an e-mail address of one of the
/// domains, are named, or have all of the claims.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TenantRule {
    /// Callers in one of these groups.
    pub groups: Vec<String>,
    /// Callers with all of these claims: each with this value, or with a list that has it.
    pub claims: BTreeMap<String, String>,
    /// Callers with an e-mail address of one of these domains. Subdomains have to be listed separately.
    pub email_domains: Vec<String>,
    /// These users: an e-mail address where there is an `@`, otherwise a subject.
    pub users: Vec<String>,
    /// Every caller who has proven who they are. For gateways with one tenant.
    pub everyone: bool,
    /// Only callers whose identity is from one of these issuers. By default, any.
    pub issuers: Vec<String>,
}

/// Who may see and call what, or may not. A caller has to match all of the grant's keys about callers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// A name for operators, in explanations and the audit log.
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
    /// This caller: an e-mail address where there is an `@`, otherwise a subject. `anonymous` is every caller
    /// without a proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Callers whose identity is from this issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Every caller who has proven who they are. It is required in a grant that names nobody.
    pub everyone: bool,
    /// The upstream, or a pattern.
    pub upstream: String,
    /// Patterns for names of tools, as the upstream calls them.
    pub tools: Vec<String>,
    /// Patterns for names of prompts, as the upstream calls them.
    pub prompts: Vec<String>,
    /// Patterns for URIs of resources, and for resource templates.
    pub resources: Vec<String>,
    /// Whether this is granted or denied. A denial takes precedence over all grants.
    pub effect: Effect,
    /// Only tools that a trusted upstream marks as read-only (`readOnlyHint`).
    pub read_only: bool,
    /// A condition that has to hold: an expression in CEL over `args`, `user` and `tenant`.
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

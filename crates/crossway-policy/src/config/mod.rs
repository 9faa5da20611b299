//! Config types of a policy.

mod credentials;
mod grants;
mod quotas;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use credentials::{
    Basic, Broker, CommandSource, CredentialRule, DirectorySource, FileBy, Holder, NamedDirectory, Source,
    TokenSource,
};
pub use grants::{Effect, Grant, TenantRule};
pub use quotas::{InvalidRate, Per, QuotaLimits, QuotaRule, Rate};

use crate::TenantName;

/// A policy as it is written: the part of `crossway.yaml` of the same keys. By default it has no tenant and grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// The tenants, and who belongs to them.
    pub tenants: BTreeMap<TenantName, TenantRule>,
    /// Who may see and call what. Nothing is granted that no grant names.
    pub grants: Vec<Grant>,
    /// What is sent to upstreams, and where it is taken from.
    pub credentials: Vec<CredentialRule>,
    /// How much tenants and users may use.
    pub quotas: Vec<QuotaRule>,
    /// Endpoints that say which tenant is meant, for those who belong to several: endpoint -> tenant.
    pub endpoints: BTreeMap<String, TenantName>,
}

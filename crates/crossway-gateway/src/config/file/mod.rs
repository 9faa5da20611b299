//! Config file types, one per section. Their doc comments are the descriptions in the JSON Schema.

mod api;
mod audit;
mod hidden;
mod identity;
mod openapi;
mod operations;
mod units;
mod upstream;

use std::collections::BTreeMap;

use crossway_policy::config::{CredentialRule, Grant, QuotaRule, TenantRule};
use crossway_policy::{PolicyConfig, TenantName};
use schemars::JsonSchema;
use serde::Deserialize;

pub use api::{OpenApiFile, OperationsOfFile, WebhookFile, WebhookToolFile};
pub use audit::{AuditFile, OverflowFile};
pub use hidden::Hidden;
pub use openapi::{DocumentForFile, ToolsAsOpenApiFile};
pub use operations::{LimitsFile, LogFile, LogFormatFile, OperationsFile, TlsFile};
pub(crate) use units::in_words;
pub use units::{Address, NotAnAddress, Size, Time};
pub use upstream::{BreakerFile, ScopeFile, TransportFile, UpstreamFile, UpstreamLimitsFile};

use crate::identity::IdentityConfig;
use crate::secret::Secret;
use crate::servers::Entry as ServerEntry;

/// The config of `crossway serve`.
///
/// In texts `${NAME}` stands for an environment variable, and `${NAME:-DEFAULT}` for one that may be missing; not in `tenants`,
/// `grants`, `quotas` and `endpoints`, which mean the same everywhere. Where a secret is wanted `file:PATH` stands for a
/// file's content. Relative paths begin at the config's folder.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Crossway")]
pub struct ConfigFile {
    /// The JSON Schema of this file, for editors.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    /// The address that clients reach. Beyond loopback `allow_hosts` has to name what they call it by.
    #[serde(default = "default_listen")]
    pub listen: Address,
    /// Host names by which clients and operators may call, besides the loopback ones (the `Host` check, which keeps web pages from reaching the
    /// gateway by DNS rebinding).
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// Web origins whose pages may call, such as `https://chat.example.com` (the `Origin` check). Browsers are told so (CORS).
    /// Requests without an `Origin` header, as all but browsers send them, need none.
    #[serde(default)]
    pub allow_origins: Vec<String>,
    /// TLS for `listen`. Without it HTTP is served as it is, for a proxy in front that has TLS.
    pub tls: Option<TlsFile>,
    /// Tools as OpenAPI too: `openapi: {}` is enough. Without it there is MCP alone.
    pub openapi: Option<ToolsAsOpenApiFile>,
    /// Probes, metrics and administration, on a listener of their own.
    pub operations: Option<OperationsFile>,
    /// Keys that seal session ids, of which the first seals and all open: gateways that have the same take on each other's sessions. 32 bytes in base64
    /// each, as `openssl rand -base64 32` prints them. Without any, sessions end with the process.
    #[serde(default)]
    pub session_keys: Vec<Secret>,
    /// How it is proven who calls. Without it everybody is anonymous: they see what is granted to
    /// `anonymous`, and can call nothing.
    #[serde(default, deserialize_with = "identity::by_proof")]
    #[schemars(with = "Option<IdentityConfig>")]
    pub identity: Option<IdentityConfig>,
    /// The MCP servers, by the names that are in URLs, grants and names of tools.
    #[serde(default)]
    pub upstreams: BTreeMap<String, UpstreamFile>,
    /// More of them, as desktop clients write theirs. They have the scope `session`, and are not trusted.
    #[serde(default, rename = "mcpServers")]
    pub mcp_servers: BTreeMap<String, ServerEntry>,
    /// The tenants, and who belongs to them. Who belongs to none, or to two, gets nothing.
    #[serde(default)]
    pub tenants: BTreeMap<TenantName, TenantRule>,
    /// Who may see and call what. Nothing is granted that no grant names.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// What is sent to upstreams for whom, and where it is taken from.
    #[serde(default)]
    pub credentials: Vec<CredentialRule>,
    /// How much tenants and users may use.
    #[serde(default)]
    pub quotas: Vec<QuotaRule>,
    /// Paths that say which tenant is meant, for those who belong to several: `/acme: acme` opens `/acme/mcp` and `/acme/sse`, with all
    /// servers as one.
    #[serde(default)]
    pub endpoints: BTreeMap<String, TenantName>,
    /// Who did what: a JSON line for each call. Without it nothing is recorded.
    pub audit: Option<AuditFile>,
    /// How much the gateway takes on.
    #[serde(default)]
    pub limits: LimitsFile,
    /// What is logged, on standard error.
    #[serde(default)]
    pub log: LogFile,
}

impl ConfigFile {
    /// The part of it that is policy, of which nothing is left in it.
    #[must_use]
    pub fn take_policy(&mut self) -> PolicyConfig {
        use std::mem::take;
        PolicyConfig {
            tenants: take(&mut self.tenants),
            grants: take(&mut self.grants),
            credentials: take(&mut self.credentials),
            quotas: take(&mut self.quotas),
            endpoints: take(&mut self.endpoints),
        }
    }
}

fn default_listen() -> Address {
    Address(([127, 0, 0, 1], 8808).into())
}

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
/// In texts `${NAME}` stands for an environment variable, and `${NAME:-DEFAULT}` for one that may be missing.
/// This does not work in `tenants`, `grants`, `quotas` and `endpoints`, which mean the same everywhere. For a
/// secret, `file:PATH` stands for the content of a file. Relative paths begin at the folder of the config.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Crossway")]
pub struct ConfigFile {
    /// The JSON Schema of this file, for editors.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    /// The address that clients reach. Beyond loopback, `allow_hosts` has to list the host names that clients
    /// use.
    #[serde(default = "default_listen")]
    pub listen: Address,
    /// Host names that clients and operators may use besides the loopback ones (the `Host` check, which keeps
    /// web pages from reaching the gateway by DNS rebinding).
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// Web origins whose pages may call, such as `https://chat.example.com` (the `Origin` check). Browsers
    /// are told so (CORS). Clients other than browsers send no `Origin` header, and need no entry.
    #[serde(default)]
    pub allow_origins: Vec<String>,
    /// TLS for `listen`. Without it, the gateway serves plain HTTP, for a proxy in front that terminates TLS.
    pub tls: Option<TlsFile>,
    /// Tools as OpenAPI too: `openapi: {}` is enough. Without it, there is only MCP.
    pub openapi: Option<ToolsAsOpenApiFile>,
    /// Probes, metrics and administration, on a listener of their own.
    pub operations: Option<OperationsFile>,
    /// Keys that seal session ids: the first one seals, and all of them open. Gateways with the same keys
    /// continue each other's sessions. Each is 32 bytes in base64, as `openssl rand -base64 32` prints them.
    /// Without keys, sessions end with the process.
    #[serde(default)]
    pub session_keys: Vec<Secret>,
    /// How callers prove who they are. Without it, everybody is anonymous: they see what is granted to
    /// `anonymous`, and can call nothing.
    #[serde(default, deserialize_with = "identity::by_proof")]
    #[schemars(with = "Option<IdentityConfig>")]
    pub identity: Option<IdentityConfig>,
    /// The MCP servers, by the names that URLs, grants and names of tools use.
    #[serde(default)]
    pub upstreams: BTreeMap<String, UpstreamFile>,
    /// Further MCP servers, in the form of desktop clients. They have the scope `session`, and are not
    /// trusted.
    #[serde(default, rename = "mcpServers")]
    pub mcp_servers: BTreeMap<String, ServerEntry>,
    /// The tenants, and who belongs to them. A caller who belongs to none, or to two, gets nothing.
    #[serde(default)]
    pub tenants: BTreeMap<TenantName, TenantRule>,
    /// Who may see and call what. Everything else is denied.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The credentials that upstreams get, for whom, and where they come from.
    #[serde(default)]
    pub credentials: Vec<CredentialRule>,
    /// How much tenants and users may use.
    #[serde(default)]
    pub quotas: Vec<QuotaRule>,
    /// Paths that select a tenant, for callers who belong to several: `/acme: acme` serves all servers as one at `/acme/mcp` and
    /// `/acme/sse`, and, with `openapi`, at `/acme/openapi.json` and `POST /acme/{upstream}/{tool}`.
    #[serde(default)]
    pub endpoints: BTreeMap<String, TenantName>,
    /// The audit log: a JSON line for each call. Without it, nothing is recorded.
    pub audit: Option<AuditFile>,
    /// How many clients the gateway serves, and how long things may take.
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

//! What the file says: one type a section. Their documentation is what editors show, for the JSON Schema is made of it.

mod hidden;
mod operations;
mod units;
mod upstream;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use hidden::Hidden;
pub use operations::{LimitsFile, LogFile, LogFormatFile, OperationsFile, TlsFile};
pub use units::{Address, NotAnAddress, Size, Time};
pub use upstream::{BreakerFile, ScopeFile, TransportFile, UpstreamFile, UpstreamLimitsFile};

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
    /// Host names by which clients may call, besides the loopback ones (the `Host` check, which keeps web pages from reaching the
    /// gateway by DNS rebinding).
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// Web origins whose pages may call, such as `https://chat.example.com` (the `Origin` check). Requests without an `Origin`
    /// header, as all but browsers send them, need none.
    #[serde(default)]
    pub allow_origins: Vec<String>,
    /// TLS for `listen`. Without it HTTP is served as it is, for a proxy in front that has TLS.
    pub tls: Option<TlsFile>,
    /// Probes, metrics and administration, on a listener of their own.
    pub operations: Option<OperationsFile>,
    /// Keys that seal session ids, the newest first: gateways that have the same take on each other's sessions. 32 bytes in base64
    /// each, as `openssl rand -base64 32` prints them. Without any, sessions end with the process.
    #[serde(default)]
    pub session_keys: Vec<Secret>,
    /// The MCP servers, by the names that are in URLs, grants and names of tools.
    #[serde(default)]
    pub upstreams: BTreeMap<String, UpstreamFile>,
    /// More of them, as desktop clients write theirs. They have the scope `session`, and are not trusted.
    #[serde(default, rename = "mcpServers")]
    pub mcp_servers: BTreeMap<String, ServerEntry>,
    /// How much the gateway takes on.
    #[serde(default)]
    pub limits: LimitsFile,
    /// What is logged, on standard error.
    #[serde(default)]
    pub log: LogFile,
}

fn default_listen() -> Address {
    Address(([127, 0, 0, 1], 8808).into())
}

//! Config types of upstreams.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crossway_policy::config::Holder;
use crossway_router::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hidden, OpenApiFile, Time, WebhookFile};

/// An MCP server: `command` or `url` says where it is. Or something that becomes one: `openapi` or `webhook`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamFile {
    /// The program to launch: a stdio server. One of this, `url`, `openapi` and `webhook`.
    #[schemars(length(min = 1))]
    pub command: Option<String>,
    /// The program's arguments.
    pub args: Vec<String>,
    /// The program's environment. It inherits PATH, HOME, LANG and their like, and nothing else: behind a proxy, npx and uvx need HTTPS_PROXY here.
    pub env: BTreeMap<String, Hidden>,
    /// The program's working directory.
    pub cwd: Option<PathBuf>,
    /// The server's URL, over Streamable HTTP or HTTP+SSE. One of this, `command`, `openapi` and `webhook`.
    pub url: Option<String>,
    /// Which transport the URL speaks. It is found out when nothing is said.
    pub transport: Option<TransportFile>,
    /// A REST API whose operations become tools.
    pub openapi: Option<OpenApiFile>,
    /// Webhooks that become tools.
    pub webhook: Option<WebhookFile>,
    /// Headers for each request to the URL, the API or the webhooks, the same for all users. What is a user's or a tenant's own is in `credentials`.
    pub headers: BTreeMap<String, Hidden>,
    /// The outgoing proxy through which the URL, the API or the webhooks are asked: `http://`, `socks5://` or `socks5h://`, with a user and a
    /// password if it wants them; or `none`. What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, when nothing is said.
    pub proxy: Option<Hidden>,
    /// Who shares a process of the server, or a session with it. APIs and webhooks have neither.
    pub scope: ScopeFile,
    /// Whether what the server says of its tools is believed: grants with `read_only` are for trusted servers alone.
    pub trusted: bool,
    /// What its tools' and prompts' names begin with at `/mcp`; its own name when nothing is said.
    #[schemars(length(min = 1, max = 64))]
    pub prefix: Option<String>,
    /// Whether control, bidirectional and invisible characters are taken out of what the server tells models of itself (instructions,
    /// descriptions, titles, names of resources), and its length is bounded. It is when nothing is said, unless the server is trusted.
    pub sanitize: Option<bool>,
    /// Whether clients get the server's instructions.
    pub instructions: bool,
    /// How much may be asked of it, and how long it may take.
    pub limits: UpstreamLimitsFile,
}

impl Default for UpstreamFile {
    fn default() -> Self {
        Self {
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            url: None,
            transport: None,
            openapi: None,
            webhook: None,
            headers: BTreeMap::new(),
            proxy: None,
            scope: ScopeFile::default(),
            trusted: false,
            prefix: None,
            sanitize: None,
            instructions: true,
            limits: UpstreamLimitsFile::default(),
        }
    }
}

/// A transport that a URL speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransportFile {
    /// One endpoint, as in revisions from 2025-03-26 on.
    StreamableHttp,
    /// An event stream and an endpoint for messages, as in revision 2024-11-05.
    HttpSse,
}

/// Who shares a process of a server, or a session with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScopeFile {
    /// Nobody: each client session has one of its own. Clients of 2026-07-28 have no sessions: those of one user share one, if
    /// they can be asked (sampling, elicitation, roots) only those with the same `clientInfo`.
    #[default]
    Session,
    /// All sessions of one user in one tenant.
    User,
    /// All users of one tenant.
    Tenant,
    /// Everybody, of any tenant. For servers that keep nothing of those who call.
    Shared,
}

impl ScopeFile {
    /// The scope in which no credential is shared more widely than by those whose it is.
    #[must_use]
    pub fn narrowed(self, holder: Option<Holder>) -> Self {
        match (self, holder) {
            (Self::Shared, Some(Holder::Tenant)) => Self::Tenant,
            (Self::Shared | Self::Tenant, Some(Holder::User)) => Self::User,
            (scope, _) => scope,
        }
    }
}

/// How much may be asked of an upstream, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamLimitsFile {
    /// How many calls may be in flight at once.
    #[schemars(range(min = 1))]
    pub concurrent: usize,
    /// How many more may wait for their turn.
    pub queued: usize,
    /// How long a call may wait for its turn.
    pub queue_time: Time,
    /// How often a call is tried again that the upstream has not seen.
    pub retries: u32,
    /// How long a call may be without a sign of life from the upstream; `0s`: for as long as it takes. With `openapi` or `webhook`, as long
    /// as `timeout` if that is longer and nothing is said here.
    pub idle: Time,
    /// How long a call may take in all; `0s`: as long as it takes.
    pub total: Time,
    /// Whether no calls are sent to an upstream that has said `Retry-After` until then. Not of use where each user has
    /// bounds of their own there.
    pub heed_retry_after: bool,
    /// When the upstream is left alone after failures.
    pub breaker: BreakerFile,
    /// How many instances of it there may be, one for each user or tenant as `scope` says; and how many sessions each instance of a legacy
    /// server may have, each of which is a process where the server is a command.
    #[schemars(range(min = 1))]
    pub sessions: usize,
    /// How long an instance is kept that nobody uses, and a session of one.
    pub session_idle: Time,
    /// How long one gets new calls, at most; at least half as long. Then another takes its place.
    pub session_age: Time,
}

impl Default for UpstreamLimitsFile {
    fn default() -> Self {
        Self {
            concurrent: limits::GUARD_CONCURRENT,
            queued: limits::GUARD_QUEUED,
            queue_time: Time(limits::GUARD_QUEUE_TIME),
            retries: limits::RETRIES,
            idle: Time(super::super::limits::CALL_IDLE),
            total: Time(Duration::ZERO),
            heed_retry_after: true,
            breaker: BreakerFile::default(),
            sessions: limits::POOL_SESSIONS,
            session_idle: Time(limits::POOL_IDLE),
            session_age: Time(limits::SCOPED_AGE),
        }
    }
}

impl UpstreamLimitsFile {
    /// How long a call to an API with this timeout may be silent. An API sends nothing before its answer, so the default is the
    /// longer of both times.
    pub(in super::super) fn idle_with(&self, timeout: Duration) -> Duration {
        let idle = self.idle.0;
        if idle == super::super::limits::CALL_IDLE { idle.max(timeout) } else { idle }
    }
}

/// When an upstream is left alone, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerFile {
    /// After how many failures in a row; 0: never.
    pub failures: u32,
    /// How long at first.
    pub first: Time,
    /// How long at most: the time doubles with each trial that fails.
    pub most: Time,
}

impl Default for BreakerFile {
    fn default() -> Self {
        Self {
            failures: limits::BREAKER_FAILURES,
            first: Time(limits::BREAKER_FIRST),
            most: Time(limits::BREAKER_MOST),
        }
    }
}

//! Config types of upstreams.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crossway_policy::config::Holder;
use crossway_router::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hidden, OpenApiFile, Time, WebhookFile};

/// An MCP server, reached by `command` or `url`, or something that is turned into one: `openapi` or
/// `webhook`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamFile {
    /// The program to launch, a stdio server. Exactly one of this, `url`, `openapi` and `webhook` is needed.
    #[schemars(length(min = 1))]
    pub command: Option<String>,
    /// The program's arguments.
    pub args: Vec<String>,
    /// The program's environment. It inherits PATH, HOME, LANG and the like, and nothing else: behind a
    /// proxy, npx and uvx need HTTPS_PROXY here.
    pub env: BTreeMap<String, Hidden>,
    /// The program's working directory.
    pub cwd: Option<PathBuf>,
    /// The server's URL, over Streamable HTTP or HTTP+SSE. Exactly one of this, `command`, `openapi` and
    /// `webhook` is needed.
    pub url: Option<String>,
    /// The transport of the URL. By default, it is detected.
    pub transport: Option<TransportFile>,
    /// A REST API whose operations become tools.
    pub openapi: Option<OpenApiFile>,
    /// Webhooks that become tools.
    pub webhook: Option<WebhookFile>,
    /// Headers for each request to the URL, the API or the webhooks, the same for all users. Headers of a
    /// single user or tenant belong into `credentials`.
    pub headers: BTreeMap<String, Hidden>,
    /// The outgoing proxy for the URL, the API or the webhooks: `http://`, `socks5://` or `socks5h://`, with
    /// a user and a password if it needs them; or `none`. By default, the variables `HTTPS_PROXY`,
    /// `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` apply.
    pub proxy: Option<Hidden>,
    /// Who shares a process of the server, or a session with it. APIs and webhooks have neither.
    pub scope: ScopeFile,
    /// Whether the server's hints about its tools are believed. Grants with `read_only` need a trusted
    /// server.
    pub trusted: bool,
    /// The prefix of the names of its tools and prompts at `/mcp`; by default, the name of the upstream.
    #[schemars(length(min = 1, max = 64))]
    pub prefix: Option<String>,
    /// Whether control, bidirectional and invisible characters are removed from the server's texts for models
    /// (instructions, descriptions, titles, names of resources), and their length is bounded. By default,
    /// this is done for servers that are not trusted.
    pub sanitize: Option<bool>,
    /// Whether clients get the server's instructions.
    pub instructions: bool,
    /// How many calls it gets, and how long they may take.
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
    /// Nobody: each client session has its own. Clients of 2026-07-28 have no sessions. Those of one user
    /// share one; if they can be asked (sampling, elicitation, roots), only those with the same `clientInfo`
    /// do.
    #[default]
    Session,
    /// All sessions of one user in one tenant.
    User,
    /// All users of one tenant.
    Tenant,
    /// Everybody, of any tenant. For servers that keep no data of their callers.
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

/// How many calls an upstream gets, and how long they may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamLimitsFile {
    /// The most calls in flight at once.
    #[schemars(range(min = 1))]
    pub concurrent: usize,
    /// The most further calls that wait for their turn.
    pub queued: usize,
    /// How long a call may wait for its turn.
    pub queue_time: Time,
    /// How often a call that has not reached the upstream is tried again.
    pub retries: u32,
    /// How long a call may go without a sign of life from the upstream; `0s`: any time. With `openapi` or
    /// `webhook`, the default is `timeout` if that is longer.
    pub idle: Time,
    /// How long a whole call may take; `0s`: any time.
    pub total: Time,
    /// Whether the upstream gets no calls until the time that its `Retry-After` names. Turn it off where each
    /// user has limits of their own there.
    pub heed_retry_after: bool,
    /// When an upstream that fails gets no calls for a while.
    pub breaker: BreakerFile,
    /// The most instances of the upstream, one for each user or tenant as `scope` says, and the most sessions
    /// of each instance of a legacy server. Where the server is a command, each session is a process. With
    /// `1`, an instance of a legacy server may have two: one for lists, and one for calls of clients that can
    /// be asked.
    #[schemars(range(min = 1))]
    pub sessions: usize,
    /// How long an unused instance, and an unused session, is kept.
    pub session_idle: Time,
    /// How long an instance gets new calls at most; at least half of that. Then a new instance replaces it.
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

/// When an upstream that fails gets no calls, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerFile {
    /// The failures in a row after which it gets no calls; 0: never.
    pub failures: u32,
    /// How long it gets no calls at first.
    pub first: Time,
    /// The longest that it gets no calls. The time doubles with each trial call that fails.
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

//! Configuration of an endpoint.

use std::sync::Arc;

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_service::SessionHandles;

use super::Limits;

/// The configuration of an endpoint. The default serves this machine only.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The hosts that requests may be addressed to.
    pub hosts: AllowedHosts,
    /// The web pages that may make requests.
    pub origins: AllowedOrigins,
    /// Limits of accepted and kept data.
    pub limits: Limits,
    /// Whether each call of a session gets a [`StreamControl`](super::StreamControl). Only useful with an upstream in this process.
    pub stream_control: bool,
    /// Whether the upstream speaks only revisions from 2026-07-28 on, which have neither sessions nor standing streams: GET and DELETE are then
    /// answered with 405.
    pub is_modern_only: bool,
    /// Makes session handles that other processes accept; without it, ids are random and valid at this endpoint only. Leave it
    /// unset where a session lives in one process only, such as a child process with its own state.
    pub session_handles: Option<Arc<dyn SessionHandles>>,
}

impl Config {
    /// Serves this machine only, with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the hosts that requests may be addressed to.
    #[must_use]
    pub fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Sets the origins of web pages that may make requests.
    #[must_use]
    pub fn origins(mut self, origins: AllowedOrigins) -> Self {
        self.origins = origins;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether upstreams in this process can close the streams of their calls.
    #[must_use]
    pub fn stream_control(mut self, offered: bool) -> Self {
        self.stream_control = offered;
        self
    }

    /// Answers GET and DELETE with 405, for an upstream that speaks only revisions from 2026-07-28 on.
    #[must_use]
    pub fn modern_only(mut self, is_modern_only: bool) -> Self {
        self.is_modern_only = is_modern_only;
        self
    }

    /// Uses handles as session ids, so that any process with the same key can take over sessions.
    ///
    /// An unknown session whose handle opens is restored: the client's `initialize` is sent upstream again, on a separate link, then
    /// `notifications/initialized`, and then the client's request. The state since `initialize` stays in the other process: its streams
    /// and calls can't be resumed here (a standing stream begins anew, without the missed messages; a call's stream is answered with 400),
    /// and subscriptions and log levels have to be set again.
    ///
    /// DELETE ends a session in this process, which remembers that, but not in others: those accept its handle until it
    /// expires ([`Limits::session_life`]).
    #[must_use]
    pub fn session_handles(mut self, handles: Arc<dyn SessionHandles>) -> Self {
        self.session_handles = Some(handles);
        self
    }
}

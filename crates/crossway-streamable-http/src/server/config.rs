//! Configuration of an endpoint.

use std::sync::Arc;

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_service::SessionHandles;

use super::Limits;

/// How an endpoint behaves. The default serves this machine alone.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The hosts that requests may be addressed to.
    pub hosts: AllowedHosts,
    /// The web pages that may make requests.
    pub origins: AllowedOrigins,
    /// How much is accepted, and what is kept.
    pub limits: Limits,
    /// Whether each call of a session gets a [`StreamControl`](super::StreamControl). It is of use to an upstream in
    /// this process only.
    pub stream_control: bool,
    /// What names sessions so that other processes can take them on; without, ids are random and mean something to this
    /// endpoint alone. Leave it unset where a session lives in one process only, such as a child process with a state of
    /// its own.
    pub session_handles: Option<Arc<dyn SessionHandles>>,
}

impl Config {
    /// Serves this machine alone, with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves requests that are addressed to these hosts.
    #[must_use]
    pub fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Serves web pages of these origins.
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

    /// Lets upstreams in this process close the streams of their calls.
    #[must_use]
    pub fn stream_control(mut self, offered: bool) -> Self {
        self.stream_control = offered;
        self
    }

    /// Names sessions by handles, so that any process with the same key takes them on.
    ///
    /// A session that is unknown here but opens is made anew: `initialize` is sent upstream as its client once sent it,
    /// on a link of its own, then `notifications/initialized`, and then what the client asks. What happened since
    /// `initialize` stays where it was: streams and calls of another process can't be taken up here (a standing stream
    /// begins anew, without what was missed; for a call's stream the answer is 400), and subscriptions and log levels
    /// have to be set again.
    ///
    /// A session ends by DELETE in this process, which remembers that, and not in others: those take it on until it
    /// expires ([`Limits::session_life`]).
    #[must_use]
    pub fn session_handles(mut self, handles: Arc<dyn SessionHandles>) -> Self {
        self.session_handles = Some(handles);
        self
    }
}

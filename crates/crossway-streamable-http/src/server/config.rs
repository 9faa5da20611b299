//! What an endpoint is told when it is made.

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};

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
}

//! What all requests to one endpoint share.

use std::sync::{Arc, OnceLock};

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_service::{Link, Scope, Upstream};

use super::session::Sessions;
use super::stop::Stop;
use super::tools::Tools;
use super::{Config, Limits};

/// What all requests to one endpoint share.
pub(crate) struct Endpoint {
    pub(crate) upstream: Box<dyn Upstream>,
    pub(crate) hosts: AllowedHosts,
    pub(crate) origins: AllowedOrigins,
    pub(crate) limits: Limits,
    pub(crate) stream_control: bool,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) stop: Arc<Stop>,
    pub(crate) tools: Tools,
    shared: OnceLock<Link>,
}

impl Endpoint {
    pub(crate) fn new(upstream: impl Upstream, config: Config) -> Self {
        let Config { hosts, origins, limits, stream_control } = config;
        Self {
            upstream: Box::new(upstream),
            hosts,
            origins,
            limits,
            stream_control,
            sessions: Arc::new(Sessions::new(limits)),
            stop: Arc::default(),
            tools: Tools::default(),
            shared: OnceLock::new(),
        }
    }

    /// The link that all stateless requests share.
    pub(crate) fn shared_link(&self) -> &Link {
        self.shared.get_or_init(|| self.upstream.connect(Scope::Shared))
    }

    /// The same, if there has been a stateless request.
    pub(crate) fn shared_link_if_any(&self) -> Option<&Link> {
        self.shared.get()
    }
}

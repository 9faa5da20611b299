//! State shared by all requests to one endpoint.

use std::sync::{Arc, OnceLock};

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_service::{Link, Scope, Upstream};

use super::session::{Handles, Session, Sessions};
use super::stop::Stop;
use super::tools::Tools;
use super::{Config, Limits};

/// The state that all requests to one endpoint share.
pub(crate) struct Endpoint {
    pub(crate) upstream: Box<dyn Upstream>,
    pub(crate) hosts: AllowedHosts,
    pub(crate) origins: AllowedOrigins,
    pub(crate) limits: Limits,
    pub(crate) stream_control: bool,
    pub(crate) is_modern_only: bool,
    pub(crate) sessions: Arc<Sessions>,
    /// Ends standing streams and subscriptions.
    pub(crate) stop: Arc<Stop>,
    /// Ends calls in flight.
    pub(crate) cut_off: Arc<Stop>,
    pub(crate) tools: Tools,
    /// Issues and opens the session handles, so that other processes can take over sessions.
    pub(crate) handles: Option<Handles>,
    /// `None` inside if the endpoint was closed before any stateless request.
    shared: OnceLock<Option<Link>>,
}

impl Endpoint {
    pub(crate) fn new(upstream: impl Upstream, config: Config) -> Self {
        let Config { hosts, origins, limits, stream_control, is_modern_only, session_handles } = config;
        Self {
            upstream: Box::new(upstream),
            hosts,
            origins,
            limits,
            stream_control,
            is_modern_only,
            sessions: Arc::new(Sessions::new(limits)),
            stop: Arc::default(),
            cut_off: Arc::default(),
            tools: Tools::default(),
            handles: session_handles.map(Handles::new),
            shared: OnceLock::new(),
        }
    }

    /// Ends a session for good: later requests of its client get 404.
    pub(crate) fn end_session(&self, session: &Session) {
        if let Some(handles) = &self.handles {
            handles.note_ended(session);
        }
        self.sessions.end(session);
    }

    /// Ends a session that the upstream has ended: later requests of its client get 404. Calls in flight may still be answered, so the link
    /// is closed after the last of them.
    pub(crate) fn lose_session(&self, session: &Arc<Session>) {
        if let Some(handles) = &self.handles {
            handles.note_ended(session);
        }
        self.sessions.lose(session);
    }

    /// The link that all stateless requests share; `None` if the endpoint was closed before the first.
    pub(crate) fn shared_link(&self) -> Option<&Link> {
        self.shared.get_or_init(|| Some(self.upstream.connect(Scope::Shared))).as_ref()
    }

    /// The shared link, if there has been a stateless request. Otherwise, no request gets one from now on.
    pub(crate) fn take_shared_link(&self) -> Option<&Link> {
        self.shared.get_or_init(|| None).as_ref()
    }
}

//! Makes the faces of upstreams.

use std::sync::Arc;
use std::time::Duration;

use crossway_http_sse::{HttpSse, ServerLimits};
use crossway_openapi::face;
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_router::SealedSessions;
use crossway_router::guard::IdleTimeout;
use crossway_service::Upstream;
use crossway_streamable_http::server::http::HttpLimits;
use crossway_streamable_http::server::{Config, Limits, StreamableHttp};

use crate::config::file::LimitsFile;
use crate::faces::UpstreamFaces;
use crate::listener::BoundListener;

/// Makes the faces of upstreams, all with the same rules.
#[derive(Clone)]
pub(crate) struct FaceMaker {
    hosts: AllowedHosts,
    origins: AllowedOrigins,
    timeout: Duration,
    drain: Duration,
    is_embedded: bool,
    is_modern_only: bool,
    limits: FaceLimits,
}

impl BoundListener {
    /// A maker of faces with this listener's rules. `is_embedded` says whether the upstream is in this process.
    pub(crate) fn maker(&self, is_embedded: bool) -> FaceMaker {
        FaceMaker {
            hosts: self.hosts.clone(),
            origins: self.origins.clone(),
            timeout: self.plan.timeout,
            drain: self.plan.drain,
            is_embedded,
            is_modern_only: self.is_modern_only,
            limits: self.limits,
        }
    }
}

impl FaceMaker {
    /// Turns off the timeout for silent calls, and returns it for the upstreams' guards.
    pub(crate) fn leave_timeout(&mut self) -> Duration {
        std::mem::take(&mut self.timeout)
    }

    /// A maker of faces that are not served.
    pub(crate) fn unserved(hosts: AllowedHosts, origins: AllowedOrigins) -> Self {
        Self {
            hosts,
            origins,
            timeout: Duration::ZERO,
            drain: Duration::ZERO,
            is_embedded: false,
            is_modern_only: false,
            limits: FaceLimits::default(),
        }
    }

    /// The same maker for a command with at most this many sessions.
    pub(crate) fn of_command(&self, sessions: usize) -> Self {
        Self { limits: self.limits.of_command(sessions), ..self.clone() }
    }

    /// The MCP faces of an upstream.
    pub(crate) fn faces(&self, upstream: Arc<dyn Upstream>) -> UpstreamFaces {
        self.faces_with(upstream, None)
    }

    /// The MCP faces of an upstream whose sessions other processes may take on, if there are `handles`.
    pub(crate) fn faces_with(
        &self,
        upstream: Arc<dyn Upstream>,
        handles: Option<SealedSessions>,
    ) -> UpstreamFaces {
        let upstream = Arc::new(IdleTimeout::new(upstream, self.timeout));
        let mut config = Config::new()
            .limits(self.limits.mcp)
            .hosts(self.hosts.clone())
            .origins(self.origins.clone())
            .stream_control(self.is_embedded)
            .modern_only(self.is_modern_only);
        if let Some(handles) = handles {
            config = config.session_handles(Arc::new(handles));
        }
        let mcp = StreamableHttp::new(Arc::clone(&upstream), config);
        if self.is_modern_only {
            return UpstreamFaces::modern_only(mcp);
        }
        let sse = crossway_http_sse::Config::new()
            .limits(self.limits.sse)
            .hosts(self.hosts.clone())
            .origins(self.origins.clone());
        UpstreamFaces::new(mcp, HttpSse::new(upstream, sse))
    }

    /// How an OpenAPI face behaves beside MCP.
    pub(crate) fn openapi_config(&self) -> face::Config {
        let mut limits = face::Limits::default();
        limits.body_bytes = limits.body_bytes.min(self.limits.mcp.message.message_bytes);
        limits.body_idle = self.limits.mcp.body_idle;
        face::Config::new()
            .beside_mcp()
            .limits(limits)
            .hosts(self.hosts.clone())
            .origins(self.origins.clone())
    }

    /// The OpenAPI face of an upstream.
    pub(crate) fn openapi(&self, upstream: Arc<dyn Upstream>, config: face::Config) -> face::OpenApi {
        face::OpenApi::new(Arc::new(IdleTimeout::new(upstream, self.timeout)), config)
    }

    /// How long calls in flight may take at the end.
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    /// Ends faces that are no longer reached, after calls in flight have had the drain time.
    pub(crate) fn retire(&self, faces: UpstreamFaces) {
        let drain = self.drain;
        faces.drain();
        tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            faces.close().await;
        });
    }
}

/// The limits of faces and connections.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FaceLimits {
    pub(crate) http: HttpLimits,
    mcp: Limits,
    sse: ServerLimits,
}

impl From<&LimitsFile> for FaceLimits {
    fn from(file: &LimitsFile) -> Self {
        let mut limits = Self::default();
        limits.http.connections = file.connections;
        // Another replica takes what finds this one's address closed, and is not asked after a refusal by 503.
        limits.http.accepts_in_drain = false;
        (limits.mcp.sessions, limits.sse.sessions) = (file.sessions, file.sessions);
        (limits.mcp.session_idle, limits.mcp.session_life) = (file.session_idle.0, file.session_life.0);
        (limits.mcp.body_idle, limits.sse.body_stall) = (file.body_idle.0, file.body_idle.0);
        limits.mcp.message.message_bytes = file.message.0;
        limits.sse.message.message_bytes = file.message.0;
        limits
    }
}

impl FaceLimits {
    /// The same limits in front of a command with at most this many sessions.
    pub(crate) fn of_command(mut self, sessions: usize) -> Self {
        (self.mcp.sessions, self.sse.sessions) = (sessions, sessions);
        self.mcp.evicts_sessions = true;
        self
    }
}

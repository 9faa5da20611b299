//! The endpoint's `tower` service.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use crossway_service::{Limits as ServiceLimits, Upstream};
use http::{Request, Response, header};
use tower_service::Service;

use super::endpoint::Endpoint;
use super::head::route;
use super::{Body, Config, ResponseFuture};

/// An MCP endpoint in front of an upstream: a `tower` service over HTTP requests.
///
/// It serves all revisions of Streamable HTTP on one path. The client's first request decides: with
/// `initialize` it opens a session of a legacy revision, with the metadata of a modern one it is a stateless
/// request. The caller chooses the path. Clones serve the same sessions.
///
/// It runs one task that ends unused sessions, and one for each call whose legacy client has gone away. It
/// has to be called within a tokio runtime with time enabled.
#[derive(Clone)]
pub struct StreamableHttp(Arc<Endpoint>);

impl StreamableHttp {
    /// Creates an endpoint in front of `upstream`.
    pub fn new(upstream: impl Upstream, config: Config) -> Self {
        Self(Arc::new(Endpoint::new(upstream, config)))
    }

    /// The number of sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.sessions.len()
    }

    /// Prepares for the end: there are no new sessions from now on, and streams that would never end by
    /// themselves are ended. Calls in flight continue, and sessions are served as before.
    pub fn drain(&self) {
        self.0.stop.stop();
    }

    /// Ends all sessions, the calls in flight, and the links to the upstream. Calls that wait for their
    /// answers fail at once with an unknown outcome, whatever the links do. Ready when the upstream has
    /// closed its side, or has taken too long.
    ///
    /// # Cancel safety
    ///
    /// Sessions are ended even if the future is dropped.
    pub async fn close(&self) {
        self.drain();
        self.0.cut_off.stop();
        self.0.sessions.end_all().await;
        if let Some(link) = self.0.take_shared_link() {
            let _ = tokio::time::timeout(ServiceLimits::CLOSE, link.close()).await;
        }
    }
}

impl<B> Service<Request<B>> for StreamableHttp
where
    B: http_body::Body<Data: Buf>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let expects_continue = parts.headers.contains_key(header::EXPECT);
        let (routed, page) = route(&self.0, parts);
        ResponseFuture::new(routed, page, body, &self.0.limits, expects_continue)
    }
}

impl fmt::Debug for StreamableHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamableHttp").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

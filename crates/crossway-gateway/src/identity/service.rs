//! The edge before a service: requests go on with a principal and without a proof.

use std::convert::Infallible;
use std::fmt;
use std::future::Ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use pin_project::pin_project;
use tower_service::Service;

use super::{Connection, Identity, Refusal};
use crate::metrics::Metrics;

/// A service that serves identified callers alone.
///
/// Each request goes on with a [`Principal`](crossway_policy::Principal) and the session owners of both transports in
/// its extensions, and without any header that says who calls. The [`Connection`] is taken from the extensions, where
/// whatever accepts connections has put it. Other requests are answered here, and never reach the service.
#[derive(Debug, Clone)]
pub struct Identified<S> {
    identity: Identity,
    metrics: Metrics,
    inner: S,
}

impl<S> Identified<S> {
    /// Stands before `inner`, and counts what it refuses.
    #[must_use]
    pub fn new(identity: Identity, metrics: Metrics, inner: S) -> Self {
        Self { identity, metrics, inner }
    }
}

/// A body of the service, or of a refusal.
pub type IdentifiedBody<B> = Either<B, Full<Bytes>>;

impl<S, B, R> Service<Request<B>> for Identified<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<IdentifiedBody<R>>;
    type Error = Infallible;
    type Future = IdentifiedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let connection = parts.extensions.remove::<Connection>().unwrap_or_default();
        match self.identity.check(&parts, &connection, SystemTime::now()) {
            Ok(caller) => {
                self.identity.strip(&mut parts.headers);
                caller.put_into(&mut parts.extensions);
                IdentifiedFuture::Passed(self.inner.call(Request::from_parts(parts, body)))
            }
            Err(refusal) => {
                self.metrics.identity_refused(self.identity.proof(), refusal.reason());
                tracing::debug!(reason = refusal.reason(), "a request is refused: {refusal}");
                IdentifiedFuture::Answered(std::future::ready(answer(&refusal)))
            }
        }
    }
}

/// A response of the service, or a refusal.
#[pin_project(project = Projection)]
pub enum IdentifiedFuture<F> {
    /// The service's.
    Passed(#[pin] F),
    /// Ours.
    Answered(Ready<Response<Full<Bytes>>>),
}

impl<F, R> Future for IdentifiedFuture<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<IdentifiedBody<R>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project() {
            Projection::Passed(future) => ready!(future.poll(cx))?.map(Either::Left),
            Projection::Answered(response) => ready!(Pin::new(response).poll(cx)).map(Either::Right),
        }))
    }
}

impl<F> fmt::Debug for IdentifiedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentifiedFuture")
    }
}

/// What a refused request gets: a JSON-RPC error that says what to do next.
fn answer(refusal: &Refusal) -> Response<Full<Bytes>> {
    let body = serde_json::json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": { "code": -32600, "message": refusal.message() },
    });
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // "The server [..] MUST include the HTTP "WWW-Authenticate" response header field" (RFC 6750, section 3).
    if refusal.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

//! The `tower` service of one upstream's face.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use crossway_service::{RequestLimiter, Scope, Upstream, extension_of};
use http::Request;
use http::request::Parts;
use tower_service::Service;

use super::one::One;
use super::problem::Problem;
use super::route::Route;
use super::{Body, Config, ResponseFuture, cors};

/// The tools of one upstream as an OpenAPI document and operations: a `tower` service over HTTP requests.
///
/// Paths are those of [the module](super), at the root; the router in front must strip any prefix. Clones share the caches. It spawns no
/// task, and has to be called within a tokio runtime with time enabled.
#[derive(Clone)]
pub struct OpenApi(pub(super) Arc<One>);

impl OpenApi {
    /// A face of `upstream`. The upstream limits how long a call takes: without a timeout layer around it, callers wait without bound.
    ///
    /// It gets modern requests, so a legacy server goes behind `crossway_router::ToLegacy` (or `AnyEra`).
    pub fn new(upstream: impl Upstream, config: Config) -> Self {
        Self(Arc::new(One::new(upstream.connect(Scope::Shared), config)))
    }

    /// Closes the link to the upstream. Calls in flight fail at once with an unknown outcome. Ready when the upstream has closed its side, or
    /// after `crossway_service::Limits::CLOSE`.
    ///
    /// # Cancel safety
    ///
    /// Once it was polled, calls fail and the link closes even if this is dropped.
    pub async fn close(&self) {
        self.0.asker.close().await;
    }
}

impl<B> Service<Request<B>> for OpenApi
where
    B: http_body::Body<Data: Buf + Send, Error: Send> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let one = Arc::clone(&self.0);
        ResponseFuture::new(async move {
            let (parts, body) = request.into_parts();
            let reader = match admit(&one.config, &parts) {
                Ok(Admitted::Asked(reader)) => reader,
                Ok(Admitted::Answered(response)) => return response,
                Err(problem) => return problem.into_response(),
            };
            let route =
                counted(&parts).and_then(|()| Route::of(&parts.method, one.config.path(parts.uri.path())));
            let answered = match route.and_then(|route| with_key(&one.config, &parts, route)) {
                Ok(route) => one.answer(route, parts, body).await,
                Err(problem) => Err(problem),
            };
            let mut response = answered.unwrap_or_else(Problem::into_response);
            reader.allow(&mut response);
            response
        })
    }
}

/// The result of the checks on a request's addresses.
pub(super) enum Admitted {
    Asked(cors::Reader),
    Answered(http::Response<Body>),
}

/// Checks the host that a request is addressed to and the origin that it comes from. Answers preflight requests.
///
/// # Errors
///
/// 400 and 403, for a host or origin that is not allowed.
pub(super) fn admit(config: &Config, parts: &Parts) -> Result<Admitted, Problem> {
    let told = |refusal: crossway_proto::http_rules::Refusal| Problem::new(refusal.status, refusal.message);
    let host = config.hosts.check(&parts.headers, &parts.uri).map_err(told)?;
    config.origins.check(&parts.headers, &host).map_err(told)?;
    let reader = cors::Reader::of(parts);
    Ok(match reader.preflight(parts) {
        Some(response) => Admitted::Answered(response),
        None => Admitted::Asked(reader),
    })
}

/// Counts a request towards its caller's limit.
///
/// # Errors
///
/// 429 when the limit is exceeded.
pub(super) fn counted(parts: &Parts) -> Result<(), Problem> {
    RequestLimiter::admit_if_any(extension_of(&parts.extensions)).map_err(|error| Problem::failed(&error))
}

/// Checks the key, if one is configured.
pub(super) fn with_key(config: &Config, parts: &Parts, route: Route) -> Result<Route, Problem> {
    if let Some(key) = &config.key {
        key.check(&parts.headers, route.is_document())?;
    }
    Ok(route)
}

impl fmt::Debug for OpenApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenApi").field("config", &self.0.config).finish_non_exhaustive()
    }
}

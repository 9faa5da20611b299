//! CORS and origin checks of requests from web pages, before any other handling.
//!
//! Each face checks its own requests. But a browser sends preflight requests without credentials, and a page has to be able to read a
//! 401 that says where to get some, so both are handled in front of authentication.

use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins, CorsOrigin, Refusal};
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use pin_project::pin_project;
use tower_service::Service;

use crate::faces::is_of_mcp;

/// A service that checks requests from web pages first. Other requests pass unchanged.
#[derive(Clone)]
pub(crate) struct CorsService<S> {
    allowed: Arc<(AllowedHosts, AllowedOrigins)>,
    inner: S,
}

impl<S> CorsService<S> {
    /// Wraps `inner`.
    pub(crate) fn new(hosts: AllowedHosts, origins: AllowedOrigins, inner: S) -> Self {
        Self { allowed: Arc::new((hosts, origins)), inner }
    }

    /// Checks that the page that sent a request is allowed to.
    fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let (hosts, origins) = &*self.allowed;
        let host = hosts.check(request.headers(), request.uri())?;
        origins.check(request.headers(), &host)
    }
}

impl<S, B, R> Service<Request<B>> for CorsService<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<Either<R, Full<Bytes>>>;
    type Error = Infallible;
    type Future = CorsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut page = CorsOrigin::default();
        if request.headers().contains_key(ORIGIN) {
            let is_of_mcp = is_of_mcp(request.uri().path());
            if let Err(refusal) = self.check(&request) {
                return CorsFuture::answered(refused(&refusal, is_of_mcp));
            }
            page = CorsOrigin::allowed(request.headers());
            let methods = if is_of_mcp { "GET, POST, DELETE" } else { "GET, POST" };
            if let Some(told) = page.preflight(request.method(), request.headers(), methods) {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                *response.headers_mut() = told;
                return CorsFuture::answered(response);
            }
        }
        CorsFuture::Passed { page, future: self.inner.call(request) }
    }
}

/// Returns a refusal in the form of the face that the request is for.
fn refused(refusal: &Refusal, is_of_mcp: bool) -> Response<Full<Bytes>> {
    let told = if is_of_mcp {
        serde_json::json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": { "code": refusal.code.0, "message": refusal.message },
        })
    } else {
        serde_json::json!({ "detail": { "message": refusal.message } })
    };
    let mut response = Response::new(Full::from(told.to_string()));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The service's response, which the page may read, or one of this layer.
#[pin_project(project = Projection)]
pub(crate) enum CorsFuture<F> {
    /// The service's response.
    Passed {
        /// The origin that may read it.
        page: CorsOrigin,
        #[pin]
        future: F,
    },
    /// A response of this layer.
    Answered(Ready<Response<Full<Bytes>>>),
}

impl<F> CorsFuture<F> {
    fn answered(response: Response<Full<Bytes>>) -> Self {
        Self::Answered(std::future::ready(response))
    }
}

impl<F, R> Future for CorsFuture<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<Either<R, Full<Bytes>>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project() {
            Projection::Passed { page, future } => {
                let mut response = ready!(future.poll(cx))?;
                page.allow(response.headers_mut());
                Ok(response.map(Either::Left))
            }
            Projection::Answered(response) => Ok(ready!(Pin::new(response).poll(cx)).map(Either::Right)),
        })
    }
}

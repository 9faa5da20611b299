//! A `tower` service that authenticates requests and removes their credentials.

use std::convert::Infallible;
use std::fmt;
use std::future::Ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use crossway_policy::{Principal, Proof};
use crossway_service::SessionOwner;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use pin_project::pin_project;
use tower_service::Service;

use super::{Caller, Connection, Credential, Identity, Refusal, limits};
use crate::metrics::Metrics;

/// A service that serves identified callers only.
///
/// Each request goes on with a [`Principal`] and the owner of its sessions in its extensions, where
/// [`extension_of`](crossway_service::extension_of) finds them, and without any header that says who calls. The [`Connection`] is taken from the extensions, where
/// whatever accepts connections has put it. Other requests are answered here, and never reach the service.
#[derive(Debug, Clone)]
pub struct Identified<S> {
    identity: Identity,
    metrics: Metrics,
    inner: S,
}

impl<S> Identified<S> {
    /// Wraps `inner`, and counts refused requests in `metrics`.
    #[must_use]
    pub fn new(identity: Identity, metrics: Metrics, inner: S) -> Self {
        Self { identity, metrics, inner }
    }

    fn authenticator(&self) -> Authenticator<'_> {
        Authenticator { identity: &self.identity, metrics: &self.metrics, stand_in: None, is_of_tools: false }
    }
}

/// Authenticates requests, or answers them with a refusal.
pub(crate) struct Authenticator<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) metrics: &'a Metrics,
    /// The caller to assume for requests without a proof. A connection key is still required, and an invalid proof is still refused.
    pub(crate) stand_in: Option<&'a Caller>,
    /// Whether refusals have the form of the OpenAPI face's errors.
    pub(crate) is_of_tools: bool,
}

/// A request that was not authenticated.
pub(crate) enum Unauthenticated<B> {
    /// Refused, or answered with metadata; this is the response.
    Answered(Box<Response<Full<Bytes>>>),
    /// May be authenticated once newer keys were fetched.
    Early(Box<Early<B>>),
}

/// A request whose keys are not known yet.
pub(crate) struct Early<B> {
    parts: Parts,
    body: B,
    connection: Connection,
    keys: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<B> Early<B> {
    /// Waits for the keys. After that, pass the request to [`authenticate_late`](Authenticator::authenticate_late).
    pub(crate) async fn keys(&mut self) {
        (&mut self.keys).await;
    }
}

impl Authenticator<'_> {
    /// Authenticates a request: replaces its proof by a principal in its extensions.
    pub(crate) fn authenticate<B>(&self, request: Request<B>) -> Result<Request<B>, Unauthenticated<B>> {
        let (mut parts, body) = request.into_parts();
        if let Some((status, document)) = self.identity.metadata_at(&parts) {
            let mut response = json_response(status, document);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            return Err(Unauthenticated::Answered(Box::new(response)));
        }
        let connection = parts.extensions.remove::<Connection>().unwrap_or_default();
        let Err(refusal) = self.admit(&mut parts, &connection) else {
            return Ok(Request::from_parts(parts, body));
        };
        Err(match self.identity.worth_waiting(&refusal) {
            Some(keys) => {
                Unauthenticated::Early(Box::new(Early { parts, body, connection, keys: Box::pin(keys) }))
            }
            None => Unauthenticated::Answered(Box::new(self.refuse(&refusal, parts.uri.path()))),
        })
    }

    /// Authenticates a request that has waited for keys.
    pub(crate) fn authenticate_late<B>(
        &self,
        early: Early<B>,
    ) -> Result<Request<B>, Box<Response<Full<Bytes>>>> {
        let Early { mut parts, body, connection, .. } = early;
        match self.admit(&mut parts, &connection) {
            Ok(()) => Ok(Request::from_parts(parts, body)),
            Err(refusal) => Err(Box::new(self.refuse(&refusal, parts.uri.path()))),
        }
    }

    /// Returns the caller, or the stand-in if there is no proof.
    fn caller(&self, parts: &Parts, connection: &Connection) -> Result<Caller, Refusal> {
        match (self.identity.check(parts, connection, SystemTime::now()), self.stand_in) {
            (Err(Refusal::Missing(credential)), Some(caller)) if credential != Credential::ConnectionKey => {
                Ok(caller.clone())
            }
            (Ok(caller), Some(stand_in)) if caller.principal().proof() == Proof::Anonymous => {
                Ok(stand_in.clone())
            }
            (found, _) => found,
        }
    }

    /// Authenticates a request in place, or says why not.
    fn admit(&self, parts: &mut Parts, connection: &Connection) -> Result<(), Refusal> {
        let caller = self.caller(parts, connection)?;
        self.identity.strip(&mut parts.headers);
        // Existing values would be found before these.
        parts.extensions.remove::<Principal>();
        parts.extensions.remove::<SessionOwner>();
        parts.extensions.insert(caller.extensions().clone());
        Ok(())
    }

    fn refuse(&self, refusal: &Refusal, path: &str) -> Response<Full<Bytes>> {
        self.metrics.identity_refused(self.identity.proof(), refusal.reason());
        tracing::debug!(reason = refusal.reason(), "a request is refused: {refusal}");
        let mut response = answer(refusal, self.is_of_tools);
        if let Some(challenge) = self.identity.challenge(refusal, path) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The body of the service's response, or of a refusal.
pub type IdentifiedBody<B> = Either<B, Full<Bytes>>;

impl<S, B, R> Service<Request<B>> for Identified<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<IdentifiedBody<R>>;
    type Error = Infallible;
    type Future = IdentifiedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.authenticator().authenticate(request) {
            Ok(request) => IdentifiedFuture::Passed(self.inner.call(request)),
            Err(Unauthenticated::Answered(response)) => IdentifiedFuture::answered(*response),
            Err(Unauthenticated::Early(mut early)) => {
                let mut again = self.clone();
                IdentifiedFuture::waiting(async move {
                    early.keys().await;
                    let request = again.authenticator().authenticate_late(*early)?;
                    Ok(again.inner.call(request))
                })
            }
        }
    }
}

/// Resolves to the service's future, or to a refusal.
type Later<F> = Pin<Box<dyn Future<Output = Result<F, Box<Response<Full<Bytes>>>>> + Send>>;

/// The future of [`Identified`].
#[pin_project(project = Projection)]
pub enum IdentifiedFuture<F> {
    /// The service's future.
    Passed(#[pin] F),
    /// A response of [`Identified`] itself.
    Answered(Ready<Response<Full<Bytes>>>),
    /// Waits for newer keys, then becomes one of the others.
    Waiting(Later<F>),
}

impl<F> IdentifiedFuture<F> {
    pub(crate) fn answered(response: Response<Full<Bytes>>) -> Self {
        Self::Answered(std::future::ready(response))
    }

    pub(crate) fn waiting(
        later: impl Future<Output = Result<F, Box<Response<Full<Bytes>>>>> + Send + 'static,
    ) -> Self {
        Self::Waiting(Box::pin(later))
    }
}

impl<F, R> Future for IdentifiedFuture<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<IdentifiedBody<R>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Projection::Waiting(waiting) = self.as_mut().project() {
            let next = match ready!(waiting.as_mut().poll(cx)) {
                Ok(future) => Self::Passed(future),
                Err(response) => Self::answered(*response),
            };
            self.set(next);
        }
        Poll::Ready(Ok(match self.project() {
            Projection::Passed(future) => ready!(future.poll(cx))?.map(Either::Left),
            Projection::Answered(response) => ready!(Pin::new(response).poll(cx)).map(Either::Right),
            // Replaced above by what it resolved to.
            Projection::Waiting(_) => return Poll::Pending,
        }))
    }
}

impl<F> fmt::Debug for IdentifiedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentifiedFuture")
    }
}

/// Returns the response to a refused request: an error that says what to do next.
fn answer(refusal: &Refusal, is_of_tools: bool) -> Response<Full<Bytes>> {
    let body = if is_of_tools {
        serde_json::json!({ "detail": { "message": refusal.message() } })
    } else {
        serde_json::json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": { "code": -32600, "message": refusal.message() },
        })
    };
    let mut response = json_response(refusal.status(), body.to_string());
    if refusal.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(limits::JWKS_TIME.as_secs()));
    }
    response
}

/// Returns a JSON response that must not be cached.
fn json_response(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

//! The `tower` service.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_proto::Message;
use crossway_proto::http_rules::{Refusal, accept, content_type};
use crossway_proto::sse::SseEncoder;
use crossway_service::{Scope, Upstream};
use http::header::ACCEPT;
use http::{Method, Request, Response, Version};
use tower_service::Service;

use super::body::Body;
use super::config::{Config, Paths};
use super::read::{BodyFault, ReadBody, says_too_long};
use super::respond;
use super::session::{NoSession, Session, SessionId, Sessions};
use crate::limits::ServerLimits;

/// Serves an upstream over HTTP+SSE, the transport of revision 2024-11-05.
///
/// A `tower` service from requests to responses, which never fails and always is ready. Clones share the sessions.
/// It works within axum's `nest_service`, whatever the prefix.
///
/// | request | response |
/// |---|---|
/// | `GET /sse` | a session: a stream of events, first `endpoint`, then each `message` for this client alone |
/// | `POST /message?sessionId=..` | 202 as soon as the message was taken; its answer comes on the stream |
///
/// The session ends when its stream is closed, by either side.
#[derive(Clone)]
pub struct HttpSse {
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Box<dyn Upstream>,
    config: Config,
    /// What stands before the session's id in the `endpoint` event.
    endpoint: String,
    sessions: Arc<Sessions>,
}

impl HttpSse {
    /// Serves `upstream`: each client has a connection of its own with it.
    pub fn new(upstream: impl Upstream, config: Config) -> Self {
        let sessions = Sessions::new(config.limits);
        let endpoint = config.paths.endpoint();
        Self { shared: Arc::new(Shared { upstream: Box::new(upstream), config, endpoint, sessions }) }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.sessions.len()
    }

    /// From now on there are no new sessions and no new calls (503), and each stream ends as soon as all its calls
    /// have been answered.
    pub fn drain(&self) {
        self.shared.sessions.drain(false);
    }

    /// Ends all streams, and cancels what is in flight.
    pub fn close(&self) {
        self.shared.sessions.drain(true);
    }

    /// Waits until there is no session, as after [`drain`](Self::drain).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn drained(&self) {
        std::future::poll_fn(|cx| self.shared.sessions.poll_empty(cx)).await;
    }
}

impl<B> Service<Request<B>> for HttpSse
where
    B: http_body::Body,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<B> {
        ResponseFuture(match self.shared.answer(request) {
            Answer::Now(response) => Inner::Now(Some(response)),
            Answer::Post(session, version, body) => Inner::Post { session, version, body },
        })
    }
}

enum Answer<B> {
    Now(Response<Body>),
    Post(Arc<Session>, Version, ReadBody<B>),
}

impl Shared {
    fn answer<B: http_body::Body>(&self, request: Request<B>) -> Answer<B> {
        if let Err(refusal) = self.check_caller(&request) {
            return Answer::Now(respond::refuse(&refusal, None));
        }
        let Paths { sse, message, .. } = &self.config.paths;
        let path = request.uri().path();
        match (path == sse, path == message, request.method()) {
            (true, _, &Method::GET) => Answer::Now(self.open(&request)),
            (_, true, &Method::POST) => self.post(request),
            (true, true, _) => Answer::Now(respond::wrong_method("GET, POST")),
            (true, false, _) => Answer::Now(respond::wrong_method("GET")),
            (false, true, _) => Answer::Now(respond::wrong_method("POST")),
            (false, false, _) => Answer::Now(respond::not_found()),
        }
    }

    fn check_caller<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let host = self.config.hosts.check(request.headers(), request.uri())?;
        self.config.origins.check(request.headers(), &host)
    }

    /// Opens a session.
    fn open<B>(&self, request: &Request<B>) -> Response<Body> {
        // Who does not say what is accepted accepts all (RFC 9110, section 12.5.1). Later revisions ask for the
        // header, but this transport is of an earlier one.
        if request.headers().contains_key(ACCEPT)
            && let Err(refusal) = accept::check_get(request.headers())
        {
            return respond::refuse(&refusal, None);
        }
        let retry_after = self.config.limits.retry_after;
        let session = match self.sessions.open(|| self.upstream.connect(Scope::Session)) {
            Ok(session) => session,
            Err(reason) => return respond::no_session(reason, retry_after),
        };
        match SseEncoder::endpoint(&format!("{}{}", self.endpoint, session.id())) {
            Ok(endpoint) => respond::stream(session, endpoint),
            // Not reached: paths are checked to have nothing in them that an event can't hold.
            Err(_) => {
                session.end();
                respond::no_session(NoSession::NoRandomness, retry_after)
            }
        }
    }

    fn post<B: http_body::Body>(&self, request: Request<B>) -> Answer<B> {
        let id = match session_id(request.uri().query()) {
            None => return Answer::Now(respond::missing_session()),
            Some(id) => SessionId::parse(id),
        };
        let Some(session) = id.and_then(|id| self.sessions.find(id)) else {
            return Answer::Now(respond::unknown_session());
        };
        if let Err(refusal) = content_type::check_post(request.headers()) {
            return Answer::Now(respond::refuse(&refusal, None));
        }
        let version = request.version();
        let limits: &ServerLimits = &self.config.limits;
        if says_too_long(request.headers(), limits.message.message_bytes) {
            return Answer::Now(respond::bad_body(BodyFault::TooLong, version));
        }
        let body = ReadBody::new(request.into_body(), limits);
        Answer::Post(session, version, body)
    }
}

/// What the query names as the session.
fn session_id(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("sessionId="))
}

/// The future of [`HttpSse`]'s responses.
#[pin_project::pin_project]
pub struct ResponseFuture<B>(#[pin] Inner<B>);

#[pin_project::pin_project(project = InnerProject)]
enum Inner<B> {
    Now(Option<Response<Body>>),
    Post {
        session: Arc<Session>,
        version: Version,
        #[pin]
        body: ReadBody<B>,
    },
}

impl<B: http_body::Body> Future for ResponseFuture<B> {
    type Output = Result<Response<Body>, Infallible>;

    #[expect(clippy::expect_used, reason = "a future is not polled after it was ready")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project().0.project() {
            InnerProject::Now(response) => response.take().expect("polled after completion"),
            InnerProject::Post { session, version, body } => match ready!(body.poll(cx)) {
                Ok(text) => take(session, text),
                Err(fault) => respond::bad_body(fault, *version),
            },
        }))
    }
}

/// Hands a message to its session.
fn take(session: &Session, text: Bytes) -> Response<Body> {
    let limits = session.limits();
    let message = match Message::parse(text.clone(), &limits.message) {
        Ok(message) => message,
        Err(_) if text.trim_ascii_start().starts_with(b"[") => return respond::batch(),
        Err(error) => return respond::bad_message(&error),
    };
    match session.handle(message) {
        Ok(()) => respond::accepted(),
        Err((reason, id)) => respond::not_taken(reason, id.as_ref(), limits.retry_after),
    }
}

impl fmt::Debug for HttpSse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSse").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for ResponseFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}

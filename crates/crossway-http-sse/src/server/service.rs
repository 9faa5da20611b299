//! The `tower` service.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_proto::Message;
use crossway_proto::http_rules::{CorsOrigin, Refusal, accept, content_type};
use crossway_service::{RequestLimiter, Scope, Upstream, extension_of};
use http::header::{ACCEPT, EXPECT};
use http::request::Parts;
use http::{Extensions, Method, Request, Response, Version};
use tower_service::Service;

use super::body::Body;
use super::config::{Config, Paths};
use super::read::ReadBody;
use super::respond;
use super::session::{Session, SessionId};
use super::sessions::Sessions;

/// Serves an upstream over HTTP+SSE, the transport of revision 2024-11-05.
///
/// A `tower` service for HTTP requests, which never fails and is always ready. Clones share the sessions. It works within axum's
/// `nest_service`, whatever the prefix.
///
/// | request | response |
/// |---|---|
/// | `GET /sse` | a session: an event stream, first `endpoint`, then each `message` for this client only |
/// | `POST /message?sessionId=..` | 202 as soon as the message is accepted; its answer comes on the stream |
///
/// The session ends when its stream is closed, by either side.
#[derive(Clone)]
pub struct HttpSse {
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Box<dyn Upstream>,
    config: Config,
    /// The URI of the `endpoint` event, up to the session id.
    endpoint: String,
    sessions: Arc<Sessions>,
}

impl HttpSse {
    /// Serves `upstream`, with a connection of its own for each client.
    pub fn new(upstream: impl Upstream, config: Config) -> Self {
        let sessions = Sessions::new(config.limits);
        let endpoint = config.paths.endpoint();
        Self { shared: Arc::new(Shared { upstream: Box::new(upstream), config, endpoint, sessions }) }
    }

    /// The number of sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.sessions.len()
    }

    /// Stops accepting sessions and calls (503), and ends each stream as soon as all its calls have been answered.
    pub fn drain(&self) {
        self.shared.sessions.drain();
    }

    /// Ends all streams. Calls that are in flight are cancelled, and each client is told that the outcome of its calls is not known.
    pub fn close(&self) {
        self.shared.sessions.close();
    }

    /// Waits until there are no sessions, as after [`drain`](Self::drain).
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
        let (mut head, body) = request.into_parts();
        let expects_continue = head.headers.contains_key(EXPECT);
        let body = || ReadBody::new(body, &self.shared.config.limits, expects_continue);
        let (answer, page) = self.shared.route(&mut head);
        let inner = match answer {
            Answer::Stream(response) => Inner::Now(Some(response)),
            Answer::Refuse(response) => Inner::Refuse { response: Some(response), body: body().refused() },
            Answer::Take(session) => {
                Inner::Take { session, extensions: head.extensions, version: head.version, body: body() }
            }
        };
        ResponseFuture { inner, page }
    }
}

enum Answer {
    /// A session's stream.
    Stream(Response<Body>),
    /// Only this response, once the body was discarded.
    Refuse(Response<Body>),
    /// The body is a message for this session.
    Take(Arc<Session>),
}

impl Shared {
    /// Routes a request, and returns the origin that may read the response.
    fn route(&self, head: &mut Parts) -> (Answer, CorsOrigin) {
        if let Err(refusal) = self.check_caller(head) {
            return (Answer::Refuse(respond::refuse(&refusal, None)), CorsOrigin::default());
        }
        let page = CorsOrigin::allowed(&head.headers);
        let answer = match page.preflight(&head.method, &head.headers, "GET, POST") {
            Some(told) => Answer::Refuse(respond::preflight(told)),
            None => self.answer(head),
        };
        (answer, page)
    }

    fn answer(&self, head: &mut Parts) -> Answer {
        let Paths { sse, message, .. } = &self.config.paths;
        let path = head.uri.path();
        Answer::Refuse(match (path == sse, path == message, &head.method) {
            (true, _, &Method::GET) => return self.open(head).map_or_else(Answer::Refuse, Answer::Stream),
            (_, true, &Method::POST) => return self.find(head).map_or_else(Answer::Refuse, Answer::Take),
            (true, true, _) => respond::wrong_method("GET, POST"),
            (true, false, _) => respond::wrong_method("GET"),
            (false, true, _) => respond::wrong_method("POST"),
            (false, false, _) => respond::not_found(),
        })
    }

    fn check_caller(&self, head: &Parts) -> Result<(), Refusal> {
        let host = self.config.hosts.check(&head.headers, &head.uri)?;
        self.config.origins.check(&head.headers, &host)
    }

    /// Opens a session.
    #[expect(clippy::result_large_err, reason = "either way it is the response")]
    fn open(&self, head: &mut Parts) -> Result<Response<Body>, Response<Body>> {
        // Without `Accept`, everything is acceptable (RFC 9110, section 12.5.1). Later revisions require the header, but this transport is
        // of an earlier one.
        if head.headers.contains_key(ACCEPT) {
            accept::check_get(&head.headers).map_err(|refusal| respond::refuse(&refusal, None))?;
        }
        RequestLimiter::admit_if_any(extension_of(&head.extensions))
            .map_err(|error| respond::too_many(&error))?;
        let retry_after = self.config.limits.retry_after;
        let session = self
            .sessions
            .open(std::mem::take(&mut head.extensions), || self.upstream.connect(Scope::Session))
            .map_err(|reason| respond::no_session(reason, retry_after))?;
        Ok(respond::stream(session, &self.endpoint))
    }

    /// Finds the session of a message.
    #[expect(clippy::result_large_err, reason = "either way it is a response")]
    fn find(&self, head: &Parts) -> Result<Arc<Session>, Response<Body>> {
        let id = session_id(head.uri.query()).ok_or_else(respond::missing_session)?;
        let session =
            SessionId::parse(id).and_then(|id| self.sessions.find(id, extension_of(&head.extensions)));
        let session = session.ok_or_else(respond::unknown_session)?;
        content_type::check_post(&head.headers).map_err(|refusal| respond::refuse(&refusal, None))?;
        Ok(session)
    }
}

/// The session id in the query.
fn session_id(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("sessionId="))
}

/// The future of [`HttpSse`]'s responses.
#[pin_project::pin_project]
pub struct ResponseFuture<B> {
    #[pin]
    inner: Inner<B>,
    /// The origin that may read the response.
    page: CorsOrigin,
}

#[pin_project::pin_project(project = InnerProject)]
enum Inner<B> {
    Now(Option<Response<Body>>),
    Refuse {
        response: Option<Response<Body>>,
        #[pin]
        body: ReadBody<B>,
    },
    Take {
        session: Arc<Session>,
        extensions: Extensions,
        version: Version,
        #[pin]
        body: ReadBody<B>,
    },
}

impl<B: http_body::Body> Future for ResponseFuture<B> {
    type Output = Result<Response<Body>, Infallible>;

    #[expect(clippy::expect_used, reason = "a future is not polled after it was ready")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.inner.project() {
            InnerProject::Now(response) => response.take().expect("polled after completion"),
            InnerProject::Refuse { response, body } => {
                // The response is a refusal in any case.
                let _ = ready!(body.poll(cx));
                response.take().expect("polled after completion")
            }
            InnerProject::Take { session, extensions, version, body } => match ready!(body.poll(cx)) {
                Ok(text) => take(session, text, std::mem::take(extensions)),
                Err(fault) => respond::bad_body(fault, *version),
            },
        };
        this.page.allow(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

/// Hands a message to its session.
fn take(session: &Session, text: Bytes, extensions: Extensions) -> Response<Body> {
    let limits = session.limits();
    let message = match Message::parse(text.clone(), &limits.message) {
        Ok(message) => message,
        Err(_) if text.trim_ascii_start().starts_with(b"[") => return respond::batch(),
        Err(error) => return respond::bad_message(&error),
    };
    let admitted =
        if message.is_request() { RequestLimiter::admit_if_any(extension_of(&extensions)) } else { Ok(()) };
    let taken = match admitted {
        Ok(()) => session.handle(message, extensions),
        Err(error) => session.refuse(&message, &error),
    };
    match taken {
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

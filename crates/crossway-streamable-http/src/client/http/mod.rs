//! An HTTP client for one endpoint, with a connection pool.

mod body;
mod connect;
mod connecting;
mod http1;
mod http2;
mod io;
mod pool;
mod response;
mod tls;

use std::sync::Arc;

use crossway_dial::Forward;
use crossway_proto::{Message, Slices};
use crossway_service::{CallError, ErrorText, Outcome, Reason, later, with_causes};
use http::{HeaderMap, Method, Request, StatusCode, Version, header};
use tokio::time::Instant;

use self::body::Outgoing;
use self::connect::{Connected, Connector, unavailable};
use self::connecting::Connecting;
use self::http1::Http1;
use self::http2::{Http2, Unprocessed};
use self::pool::Pool;
use super::endpoint::Endpoint;
use super::{Limits, Options, limits};

pub(super) use self::response::{BodyError, Response, ResponseBody};

/// Speaks HTTP with one endpoint.
pub(super) struct HttpClient {
    endpoint: Endpoint,
    connector: Connector,
    pool: Arc<Pool>,
    connecting: Connecting,
    /// Set if a proxy makes the requests.
    forward: Option<Forward>,
    limits: Limits,
}

/// The purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A response that ends.
    Call,
    /// A stream that stays open, and is mostly silent.
    Listen,
}

/// A request to send. Headers are built for each attempt, since most requests need only one.
pub(super) struct Outbound<'a, H> {
    pub(super) method: Method,
    pub(super) headers: H,
    pub(super) message: Option<&'a Message>,
    pub(super) purpose: Purpose,
}

enum Wire {
    Http1(Box<Http1>),
    Http2(http2::Stream),
}

impl HttpClient {
    pub(super) fn new(endpoint: Endpoint, options: &Options) -> Self {
        let limits = options.limits;
        let pool = Pool::new(limits.pool_idle, limits.pool_connections);
        pool.learn_http2(endpoint.is_https());
        Self {
            forward: options.proxies.forward(&endpoint.absolute),
            connector: Connector::new(options.tls.clone(), options.proxies.clone(), limits.connect),
            endpoint,
            pool,
            connecting: Connecting::default(),
            limits,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether each request carries the user and the password of a proxy.
    pub(super) fn sends_proxy_authorization(&self) -> bool {
        self.forward.as_ref().is_some_and(|by| by.authorization().is_some())
    }

    /// Sends a request, follows redirects within the endpoint's origin, and waits for the response's head.
    ///
    /// # Errors
    ///
    /// With an outcome that is certain: a request of which nothing was written is *not sent*.
    pub(super) async fn send<H>(&self, outbound: Outbound<'_, H>) -> Result<Response, CallError>
    where
        H: Fn() -> HeaderMap,
    {
        let mut target = None;
        for _ in 0..=limits::REDIRECTS {
            let response = self.attempt(target.as_ref().unwrap_or(&self.endpoint), &outbound).await?;
            if let Some(refused) = self.forward.as_ref().and_then(|by| by.refused(response.head.status)) {
                return Err(CallError::not_sent(unavailable(&self.endpoint, &with_causes(&refused))));
            }
            if !response.head.status.is_redirection() || response.head.status == StatusCode::NOT_MODIFIED {
                return Ok(response);
            }
            target = Some(self.redirect(target.as_ref(), &response, &outbound.method)?);
            response.body.let_go();
        }
        Err(invalid(ErrorText::public(format!("it redirects more than {} times", limits::REDIRECTS))))
    }

    /// Returns the target of a redirect.
    ///
    /// Another origin is refused: the message, and the headers with their credentials, were meant for this one.
    fn redirect(
        &self,
        from: Option<&Endpoint>,
        response: &Response,
        method: &Method,
    ) -> Result<Endpoint, CallError> {
        let status = response.head.status;
        let location =
            response.head.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let target = location.and_then(|location| from.unwrap_or(&self.endpoint).resolve(location));
        let Some(target) = target else {
            let what = format!("it redirects (HTTP status {}) to nowhere", status.as_u16());
            return Err(invalid(ErrorText::public(what)));
        };
        if !target.has_origin_of(&self.endpoint) {
            return Err(invalid(ErrorText::private(format!(
                "it redirects to another origin, {}, which is not followed; if that is the server, use its URL",
                target.origin()
            ))));
        }
        let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        if !keeps_method && *method != Method::GET {
            return Err(invalid(ErrorText::public(format!(
                "it redirects with HTTP status {}, which does not keep a {method}; use the URL that it redirects to",
                status.as_u16()
            ))));
        }
        Ok(target)
    }

    async fn attempt<H>(&self, target: &Endpoint, outbound: &Outbound<'_, H>) -> Result<Response, CallError>
    where
        H: Fn() -> HeaderMap,
    {
        let mut what = "it closes each connection before a request can be sent";
        for _ in 0..limits::STALE_CONNECTIONS {
            let request = self.request(target, outbound);
            let idle = limits_for(outbound.purpose, &self.limits);
            match self.wire(outbound.purpose).await? {
                Wire::Http1(mut wire) => {
                    let was_used = wire.is_used;
                    match wire.send(request).await {
                        Ok(response) => {
                            let (head, incoming) = response.into_parts();
                            let body = ResponseBody::on_http1(incoming, wire, Arc::clone(&self.pool), idle);
                            return Ok(Response { head, body });
                        }
                        // The server has closed an idle connection, and has seen nothing of this request.
                        Err(error) if error.message().is_some() && was_used => {}
                        Err(error) => return Err(self.failed(error.message().is_some(), error.error())),
                    }
                }
                Wire::Http2(http2::Stream { mut sender, place }) => {
                    let mut request = request;
                    *request.uri_mut() = target.absolute.clone();
                    *request.version_mut() = Version::HTTP_2;
                    // `:authority` replaces it.
                    request.headers_mut().remove(header::HOST);
                    match Box::pin(sender.try_send_request(request)).await {
                        Ok(response) => {
                            let (head, incoming) = response.into_parts();
                            let body = ResponseBody::on_http2(incoming, place, Arc::clone(&self.pool), idle);
                            return Ok(Response { head, body });
                        }
                        Err(error) if error.message().is_some() && sender.is_closed() => {}
                        Err(error) => match http2::unprocessed(error.error()) {
                            Some(Unprocessed::GoesAway) => place.retire(),
                            Some(Unprocessed::Refused) => {
                                what = "it refuses requests without looking at them"
                            }
                            None => return Err(self.failed(error.message().is_some(), error.error())),
                        },
                    }
                }
            }
        }
        Err(CallError::not_sent(unavailable(&self.endpoint, what)))
    }

    fn request<H: Fn() -> HeaderMap>(
        &self,
        target: &Endpoint,
        outbound: &Outbound<'_, H>,
    ) -> Request<Outgoing> {
        let body = outbound.message.map(Slices::from).unwrap_or_default();
        let mut request = Request::new(Outgoing::new(body));
        *request.method_mut() = outbound.method.clone();
        *request.headers_mut() = (outbound.headers)();
        let Some(by) = &self.forward else {
            *request.uri_mut() = target.path.clone();
            return request;
        };
        *request.uri_mut() = target.absolute.clone();
        if let Some(authorization) = by.authorization() {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        request
    }

    fn failed(&self, is_unsent: bool, error: &hyper::Error) -> CallError {
        if is_unsent {
            return CallError::not_sent(unavailable(&self.endpoint, &with_causes(error)));
        }
        if error.is_parse() {
            let what = format!("its head is not valid HTTP: {}", with_causes(error));
            return CallError::unknown(Reason::InvalidAnswer(ErrorText::private(what)));
        }
        let what = format!(
            "{}: the connection broke before the answer: {}",
            self.endpoint.origin(),
            with_causes(error)
        );
        CallError::unknown(Reason::Ended(ErrorText::private(what)))
    }

    /// Returns a connection that accepts a request now.
    async fn wire(&self, purpose: Purpose) -> Result<Wire, CallError> {
        if let Some(stream) = self.pool.http2() {
            return Ok(Wire::Http2(stream));
        }
        // Streams that stay open have their own connections, with small buffers.
        if purpose == Purpose::Call {
            let kept = std::future::poll_fn(|cx| std::task::Poll::Ready(self.pool.take(cx))).await;
            if let Some(wire) = kept {
                return Ok(Wire::Http1(wire));
            }
        }
        // Boxed, like everything that few calls need, since each call's future is moved.
        Box::pin(self.open(purpose)).await
    }

    /// Opens a new connection.
    async fn open(&self, purpose: Purpose) -> Result<Wire, CallError> {
        // If HTTP/2 is possible, simultaneous calls wait for a connection that they can share.
        if !self.pool.may_be_http2() {
            return self.connect(purpose).await.map_err(CallError::not_sent);
        }
        let mut turn = self.connecting.turn().await.map_err(CallError::not_sent)?;
        if !self.pool.may_be_http2() {
            drop(turn);
            return self.connect(purpose).await.map_err(CallError::not_sent);
        }
        if let Some(stream) = self.pool.http2() {
            return Ok(Wire::Http2(stream));
        }
        let connected = self.connect(purpose).await;
        if let Err(reason) = &connected {
            turn.failed(reason);
        }
        connected.map_err(CallError::not_sent)
    }

    /// Resolves the name, opens TCP and TLS and begins HTTP, within the time for all of them.
    async fn connect(&self, purpose: Purpose) -> Result<Wire, Reason> {
        let until = later(Instant::now(), self.limits.connect);
        let Connected { io, is_http2 } = self.connector.connect(&self.endpoint).await?;
        self.pool.learn_http2(is_http2);
        if is_http2 {
            return self.open_http2(io, until).await.map(Wire::Http2);
        }
        let (buffer, is_poolable) = match purpose {
            Purpose::Call => (limits::CALL_BUFFER, true),
            Purpose::Listen => (limits::LISTEN_BUFFER, false),
        };
        let opened = Http1::open(io, buffer, is_poolable).await;
        opened.map(Wire::Http1).map_err(|error| unavailable(&self.endpoint, &with_causes(&error)))
    }

    async fn open_http2(&self, io: io::Io, until: Instant) -> Result<http2::Stream, Reason> {
        let opened = match tokio::time::timeout_at(until, Http2::open(io)).await {
            Ok(opened) => opened,
            Err(_) => Err(format!("no HTTP/2 settings within {} ms", self.limits.connect.as_millis())),
        };
        let mut connection = opened.map_err(|what| unavailable(&self.endpoint, &what))?;
        let stream = connection.take();
        self.pool.put_http2(connection);
        Ok(stream)
    }

    /// Connects through memory; the test gets the other ends.
    #[cfg(test)]
    pub(super) fn in_memory(mut self) -> (Self, tokio::sync::mpsc::Receiver<tokio::io::DuplexStream>) {
        let (memory, connections) = tokio::sync::mpsc::channel(16);
        self.connector.memory = Some(memory);
        (self, connections)
    }

    #[cfg(test)]
    pub(super) fn pooled(&self) -> usize {
        self.pool.len()
    }
}

/// Returns the idle timeout. Listening streams have none.
fn limits_for(purpose: Purpose, limits: &Limits) -> Option<std::time::Duration> {
    (purpose == Purpose::Call).then_some(limits.read_idle).flatten()
}

fn invalid(what: impl Into<ErrorText>) -> CallError {
    CallError::new(Reason::InvalidAnswer(what.into()), Outcome::Answered)
}

//! Every bound of HTTP connections, with its default and the reason for it.

use std::time::Duration;

/// How many connections there may be, and how long they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// The most connections. Further ones are accepted only when others have ended.
    pub connections: usize,
    /// How long a new connection may take to send the head of its first request.
    pub first_request: Duration,
    /// How long a connection without a request is kept at least. It is closed before twice this time has
    /// passed.
    pub idle: Duration,
    /// The longest head of a request, and the largest read buffer. hyper answers a longer head with 431 and
    /// no body.
    pub head_bytes: usize,
    /// The most requests at once on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Whether connections are accepted during a drain, for answers that calls in flight wait for. Should be
    /// off where a balancer sends a connection that finds this address closed to another server: it retries a
    /// connection that was not accepted, but not a request that was refused.
    pub accepts_in_drain: bool,
}

impl HttpLimits {
    /// 16,384 connections: at 64 KiB each they take 1 GiB.
    pub const CONNECTIONS: usize = 16_384;
    /// 30 seconds: enough for several retransmissions of a lost packet.
    pub const FIRST_REQUEST: Duration = Duration::from_secs(30);
    /// 120 seconds: longer than clients keep connections in their pools. So clients close them first, and no
    /// request meets a connection that is being closed.
    pub const IDLE: Duration = Duration::from_secs(120);
    /// 128 KiB: twice what an endpoint accepts, so that in most cases the endpoint itself refuses.
    pub const HEAD_BYTES: usize = 128 * 1024;
    /// 256 requests: the calls in flight of one client, and its open streams.
    pub const HTTP2_STREAMS: u32 = 256;
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: Self::CONNECTIONS,
            first_request: Self::FIRST_REQUEST,
            idle: Self::IDLE,
            head_bytes: Self::HEAD_BYTES,
            http2_streams: Self::HTTP2_STREAMS,
            accepts_in_drain: true,
        }
    }
}

impl HttpLimits {
    /// The same limits with some changed: `HttpLimits::default().with(|limits| limits.connections = 100)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// How long no connection is accepted after accepting one has failed: 100 ms. The usual reason is a lack of
/// file descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An HTTP/2 connection that is silent for 30 seconds gets a ping, and has 20 to answer it.
pub(super) const HTTP2_PING: Duration = Duration::from_secs(30);
pub(super) const HTTP2_PONG: Duration = Duration::from_secs(20);

/// How long a client may read nothing of what is written to it before its connection is closed: 60 seconds,
/// enough for several retransmissions of a lost packet. Answers that nobody reads would be held for ever.
pub(super) const WRITE_STALL: Duration = Duration::from_secs(60);

/// The smallest read buffer that hyper accepts: 8 KiB.
pub(super) const HEAD_BYTES_AT_LEAST: usize = 8192;

//! Every bound of HTTP connections, with its default and the reason for it.

use std::time::Duration;

/// How many connections there may be, and how long they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// The most connections. One more is not accepted before another has ended.
    pub connections: usize,
    /// How long a new connection may take for the head of its first request.
    pub first_request: Duration,
    /// How long a connection is kept without a request, at the least; it is closed before twice that has passed.
    pub idle: Duration,
    /// The longest head of a request that is read, and the largest read buffer. What is longer gets 431 from hyper,
    /// without a body.
    pub head_bytes: usize,
    /// The most requests at once on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Whether connections are accepted during a drain, for answers that calls in flight wait for. Not where another server takes what finds
    /// this one's address closed: a balancer tries again what was not accepted, and not what was refused.
    pub accepts_in_drain: bool,
}

impl HttpLimits {
    /// 16,384 connections: at 64 KiB each they take 1 GiB.
    pub const CONNECTIONS: usize = 16_384;
    /// 30 seconds: a packet that was lost is sent anew several times in that.
    pub const FIRST_REQUEST: Duration = Duration::from_secs(30);
    /// 120 seconds: longer than clients keep connections in their pools, so that it is they who close them, and no
    /// request meets a connection that is being closed.
    pub const IDLE: Duration = Duration::from_secs(120);
    /// 128 KiB: twice what an endpoint accepts, so that the refusal is its own in most cases.
    pub const HEAD_BYTES: usize = 128 * 1024;
    /// 256 requests: what one client has in flight, and open streams.
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

/// How long no connection is accepted after that failed, for want of file descriptors as a rule: 100 ms.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An HTTP/2 connection that is silent for 30 seconds is asked whether it still lives, and has 20 to say so.
pub(super) const HTTP2_PING: Duration = Duration::from_secs(30);
pub(super) const HTTP2_PONG: Duration = Duration::from_secs(20);

/// How long a client may take nothing of what is written to it before its connection is closed: 60 seconds, in which a lost packet is sent
/// anew several times. Answers that nobody reads would be held without an end.
pub(super) const WRITE_STALL: Duration = Duration::from_secs(60);

/// What hyper asks for at the least: 8 KiB.
pub(super) const HEAD_BYTES_AT_LEAST: usize = 8192;

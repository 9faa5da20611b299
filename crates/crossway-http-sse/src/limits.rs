//! Every bound of this crate, with its default and the reason for it.

#[cfg(any(feature = "client", feature = "server"))]
use std::time::Duration;

/// How long the client waits, and how much it holds.
#[cfg(feature = "client")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// The bounds of each message.
    pub message: crossway_proto::Limits,
    /// How much a session holds for readers that are slower than it.
    pub service: crossway_service::Limits,
    /// How long connecting may take, with name lookup, TCP and TLS.
    pub connect: Duration,
    /// How long the stream may take to open and to name the URL for POSTs.
    pub endpoint: Duration,
    /// The most redirects of one request, all within the upstream's origin.
    pub redirects: usize,
    /// The most requests of one session that are POSTed at the same time.
    pub posts_in_flight: usize,
    /// How long the POST of a request may take to be answered.
    pub request_post: Duration,
    /// How long the POST of anything else may take to be answered. Messages behind a notification wait for
    /// it.
    pub notification_post: Duration,
    /// The most messages of one session that wait to be POSTed.
    pub queued_messages: usize,
    /// The most bytes of one session that wait to be POSTed. One message may exceed this, so that every
    /// message that is accepted can pass.
    pub queued_bytes: usize,
    /// How long a cancellation waits until the server has accepted the request that it cancels.
    pub cancel_hold: Duration,
    /// How long a session that ends may take to POST the messages that wait, above all cancellations.
    pub flush: Duration,
    /// The most unused connections to an upstream that are kept.
    pub idle_connections: usize,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

#[cfg(feature = "client")]
impl ClientLimits {
    /// 10 s: three retransmissions of a SYN, and what slow name servers need.
    pub const CONNECT: Duration = Duration::from_secs(10);
    /// 10 s: servers that start a child first need seconds, and a stream of another kind never names a URL.
    pub const ENDPOINT: Duration = Duration::from_secs(10);
    /// 5: a trailing slash, a moved host and a moved path are three.
    pub const REDIRECTS: usize = 5;
    /// 16: four times what one client has in flight in practice. With a slow server, each is a connection.
    pub const POSTS_IN_FLIGHT: usize = 16;
    /// 300 s: servers answer 202 at once, but some answer the call in the POST's body, when they are done.
    pub const REQUEST_POST: Duration = Duration::from_secs(300);
    /// 30 s: the server only has to accept it.
    pub const NOTIFICATION_POST: Duration = Duration::from_secs(30);
    /// 4,096 messages: as many as calls may be in flight.
    pub const QUEUED_MESSAGES: usize = 4096;
    /// 16 MiB: the most memory of a session whose server does not accept POSTs.
    pub const QUEUED_BYTES: usize = 16 << 20;
    /// 1 s: a server that has not accepted the request by then answers POSTs only when the call is done, and
    /// may be told to cancel.
    pub const CANCEL_HOLD: Duration = Duration::from_secs(1);
    /// 2 s: the client has gone already.
    pub const FLUSH: Duration = Duration::from_secs(2);
    /// 64 connections: a burst of calls reuses them, and they cost about 1 MiB.
    pub const IDLE_CONNECTIONS: usize = 64;
    /// 4 s: common servers close a connection that is unused for 5 s, and no POST may meet that.
    pub const IDLE: Duration = Duration::from_secs(4);
    /// How much of a POST's answer that is no message is read, so that its connection can be used again: 64
    /// KiB.
    pub(crate) const DISCARDED_BYTES: usize = 64 * 1024;
    /// How much of an answer that is no valid message is searched for the id of its call: 1 KiB from its
    /// beginning, where most servers write it.
    pub(crate) const ID_SEARCH_BYTES: usize = 1024;
    /// The most characters of a media type that an error quotes: 64. Real types are shorter.
    pub(crate) const QUOTED_TYPE_CHARS: usize = 64;
    /// 60 s of silence on a connection, then a probe each 10 s, 3 times. A stream may be silent for any time,
    /// but a host that is gone is noticed.
    pub(crate) const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);
    pub(crate) const TCP_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
    pub(crate) const TCP_KEEP_ALIVE_RETRIES: u32 = 3;
    /// The longest time that a server may tell us to wait: an hour.
    pub(crate) const RETRY_ASKED_MAX: Duration = Duration::from_secs(3600);
    /// How often overdue POSTs are looked for: each 1 s, exact enough for their bounds.
    pub(crate) const TICK: Duration = Duration::from_secs(1);
}

#[cfg(feature = "client")]
impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            message: crossway_proto::Limits::default(),
            service: crossway_service::Limits::default(),
            connect: Self::CONNECT,
            endpoint: Self::ENDPOINT,
            redirects: Self::REDIRECTS,
            posts_in_flight: Self::POSTS_IN_FLIGHT,
            request_post: Self::REQUEST_POST,
            notification_post: Self::NOTIFICATION_POST,
            queued_messages: Self::QUEUED_MESSAGES,
            queued_bytes: Self::QUEUED_BYTES,
            cancel_hold: Self::CANCEL_HOLD,
            flush: Self::FLUSH,
            idle_connections: Self::IDLE_CONNECTIONS,
            idle: Self::IDLE,
        }
    }
}

#[cfg(feature = "client")]
impl ClientLimits {
    /// The same limits with some changed: `ClientLimits::default().with(|limits| limits.redirects = 0)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// How long the server waits, and how much it holds.
#[cfg(feature = "server")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// The bounds of each message.
    pub message: crossway_proto::Limits,
    /// How much a session holds for a client that is slower than it.
    pub service: crossway_service::Limits,
    /// The most sessions at the same time.
    pub sessions: usize,
    /// How long a POST's body may make no progress.
    pub body_stall: Duration,
    /// How long a POST's body may take as a whole.
    pub body: Duration,
    /// How long a stream may be silent before a comment is sent.
    pub keep_alive: Duration,
    /// How long clients are told to wait when there is no room.
    pub retry_after: Duration,
}

#[cfg(feature = "server")]
impl ServerLimits {
    /// 100,000 sessions: ten times what one process serves in practice, at less than 1 KiB each without its
    /// link.
    pub const SESSIONS: usize = 100_000;
    /// 30 s: as long as a mobile client is in a tunnel.
    pub const BODY_STALL: Duration = Duration::from_secs(30);
    /// 300 s: the time of the longest message at 2 Mbit/s.
    pub const BODY: Duration = Duration::from_secs(300);
    /// 15 s: proxies close streams that are silent for 30 s or 60 s.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
    /// 1 s: calls that end make room.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);
    /// How much of a refused body is read and thrown away, so that the refusal is not lost in a reset
    /// connection: 64 MiB, a message of the longest kind.
    pub(crate) const DISCARDED_BYTES: usize = 64 << 20;
    /// How much memory is allocated for a body because of its `Content-Length`: 1 MiB. More is allocated as
    /// the body arrives.
    pub(crate) const RESERVED_BYTES: usize = 1 << 20;
    /// Messages that are ready at the same time go out in one piece up to this size: 16 KiB, one TLS record.
    pub(crate) const COALESCED_BYTES: usize = 16 * 1024;
}

#[cfg(feature = "server")]
impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            message: crossway_proto::Limits::default(),
            service: crossway_service::Limits::default(),
            sessions: Self::SESSIONS,
            body_stall: Self::BODY_STALL,
            body: Self::BODY,
            keep_alive: Self::KEEP_ALIVE,
            retry_after: Self::RETRY_AFTER,
        }
    }
}

#[cfg(feature = "server")]
impl ServerLimits {
    /// The same limits with some changed: `ServerLimits::default().with(|limits| limits.sessions = 100)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

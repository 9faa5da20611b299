//! Every bound of this crate, with its default and the reason for it.

#[cfg(any(feature = "client", feature = "server"))]
use std::time::Duration;

/// How long the client waits, and how much it holds.
#[cfg(feature = "client")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// What is accepted as a message.
    pub message: crossway_proto::Limits,
    /// What a session holds for those who are slower than it.
    pub service: crossway_service::Limits,
    /// How long connecting may take: name lookup, TCP and TLS.
    pub connect: Duration,
    /// How long the stream may take to open and to say where to POST.
    pub endpoint: Duration,
    /// The most redirects of one request, all within the upstream's origin.
    pub redirects: usize,
    /// The most requests of one session that are being POSTed at the same time.
    pub posts_in_flight: usize,
    /// How long the POST of a request may take to be answered.
    pub request_post: Duration,
    /// How long the POST of anything else may take to be answered. What comes behind a notification waits for it.
    pub notification_post: Duration,
    /// The most messages of one session that wait to be POSTed.
    pub queued_messages: usize,
    /// The most bytes of one session that wait to be POSTed. One message more than that may wait, so that each
    /// message that is accepted can pass.
    pub queued_bytes: usize,
    /// How long a cancellation waits until the request that it cancels was taken.
    pub cancel_hold: Duration,
    /// How long a session that ends may take to POST what still waits, cancellations above all.
    pub flush: Duration,
    /// The most connections to an upstream that are kept without use.
    pub idle_connections: usize,
    /// How long a connection is kept without use.
    pub idle: Duration,
}

#[cfg(feature = "client")]
impl ClientLimits {
    /// 10 s: three retransmissions of a SYN, and what slow name servers need.
    pub const CONNECT: Duration = Duration::from_secs(10);
    /// 10 s: servers that start a child first need seconds; a stream that is none of ours never says anything.
    pub const ENDPOINT: Duration = Duration::from_secs(10);
    /// 5: a slash, a host's name and a new path are three.
    pub const REDIRECTS: usize = 5;
    /// 16: four times what one client has in flight in practice. Each is a connection, if the server is slow.
    pub const POSTS_IN_FLIGHT: usize = 16;
    /// 300 s: servers answer 202 at once, but some answer the call in the POST's body, when they are done.
    pub const REQUEST_POST: Duration = Duration::from_secs(300);
    /// 30 s: nothing is to be done but to take it.
    pub const NOTIFICATION_POST: Duration = Duration::from_secs(30);
    /// 4,096 messages: as many as there may be calls in flight.
    pub const QUEUED_MESSAGES: usize = 4096;
    /// 16 MiB: what a session may cost whose server does not take what is POSTed.
    pub const QUEUED_BYTES: usize = 16 << 20;
    /// 1 s: a server that has not taken the request by then answers POSTs when it is done, and may be cancelled.
    pub const CANCEL_HOLD: Duration = Duration::from_secs(1);
    /// 2 s: the client has gone already.
    pub const FLUSH: Duration = Duration::from_secs(2);
    /// 64 connections: a burst of calls reuses them, and they cost about 1 MiB.
    pub const IDLE_CONNECTIONS: usize = 64;
    /// 4 s: common servers close a connection after 5 s without use; a POST must not meet that.
    pub const IDLE: Duration = Duration::from_secs(4);
    /// How much of a POST's answer that is no message is read, so that its connection can be used again: 64 KiB.
    pub(crate) const DISCARDED_BYTES: usize = 64 * 1024;
    /// How much of what is no message is searched for the id of the call that it answers: 1 KiB from its beginning, where most servers write it.
    pub(crate) const ID_SEARCH_BYTES: usize = 1024;
    /// How much of a media type is quoted in an error: 64 characters. Types that are in use are shorter.
    pub(crate) const QUOTED_TYPE_CHARS: usize = 64;
    /// 60 s of silence on a connection, then a probe each 10 s, 3 times: a stream may be silent for as long as it
    /// likes, but a host that is gone is noticed.
    pub(crate) const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);
    pub(crate) const TCP_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
    pub(crate) const TCP_KEEP_ALIVE_RETRIES: u32 = 3;
    /// The longest time that a server may tell us to wait: an hour.
    pub(crate) const RETRY_ASKED_MAX: Duration = Duration::from_secs(3600);
    /// How often overdue POSTs are looked for: 1 s, which is fine enough for their bounds.
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
    /// What is accepted as a message.
    pub message: crossway_proto::Limits,
    /// What a session holds for a client that is slower than it.
    pub service: crossway_service::Limits,
    /// The most sessions at the same time.
    pub sessions: usize,
    /// How long a POST's body may make no progress.
    pub body_stall: Duration,
    /// How long a POST's body may take as a whole.
    pub body: Duration,
    /// After how long a silence a comment goes out.
    pub keep_alive: Duration,
    /// What clients are told to wait where there is no room.
    pub retry_after: Duration,
}

#[cfg(feature = "server")]
impl ServerLimits {
    /// 100,000 sessions: ten times what one process serves in practice, at less than 1 KiB each without its link.
    pub const SESSIONS: usize = 100_000;
    /// 30 s: a mobile client in a tunnel, and no more.
    pub const BODY_STALL: Duration = Duration::from_secs(30);
    /// 300 s: the longest message over 2 Mbit/s.
    pub const BODY: Duration = Duration::from_secs(300);
    /// 15 s: proxies close what was silent for 30 s or 60 s.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
    /// 1 s: answers make room.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);
    /// How much of a body that is refused is read and thrown away, so that the refusal is not lost in a reset
    /// connection: 64 MiB, a message of the longest kind.
    pub(crate) const DISCARDED_BYTES: usize = 64 << 20;
    /// How much is allocated for a body by its `Content-Length` alone: 1 MiB. What came vouches for the rest.
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

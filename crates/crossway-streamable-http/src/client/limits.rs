//! Every bound of the client, with its default and the reason for it.

use std::time::Duration;

/// How much is accepted from an upstream, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The bounds of each message.
    pub message: crossway_proto::Limits,
    /// The most calls in flight on a link with a session of its own.
    pub session_calls: usize,
    /// The most calls in flight on a shared link.
    pub shared_calls: usize,
    /// How long name resolution, connecting and the TLS handshake may take together.
    pub connect: Duration,
    /// How long a response may be silent before its connection counts as dead; `None` waits as long as the
    /// call does. Servers that send no keep-alive comments are silent while a tool runs.
    pub read_idle: Option<Duration>,
    /// How long an unused connection is kept at most.
    pub pool_idle: Duration,
    /// The most unused connections that are kept.
    pub pool_connections: usize,
}

impl Limits {
    /// 4,096 calls: a thousand times what one chat client has in flight.
    pub const SESSION_CALLS: usize = 4096;
    /// 65,536 calls: each modern client on the link may hold a subscription open.
    pub const SHARED_CALLS: usize = 65_536;
    /// 10 seconds: three lost SYN packets.
    pub const CONNECT: Duration = Duration::from_secs(10);
    /// None: a tool may run for hours, and a dead connection is noticed by TCP keep-alive.
    pub const READ_IDLE: Option<Duration> = None;
    /// 30 seconds: less than proxies on the way wait. This holds for servers that name a time in
    /// `Keep-Alive`, unless they name a shorter one; for other servers it is 4 seconds.
    pub const POOL_IDLE: Duration = Duration::from_secs(30);
    /// 256 connections, of about 10 KiB each. Bursts beyond that open new ones.
    pub const POOL_CONNECTIONS: usize = 256;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: crossway_proto::Limits::default(),
            session_calls: Self::SESSION_CALLS,
            shared_calls: Self::SHARED_CALLS,
            connect: Self::CONNECT,
            read_idle: Self::READ_IDLE,
            pool_idle: Self::POOL_IDLE,
            pool_connections: Self::POOL_CONNECTIONS,
        }
    }
}

impl Limits {
    /// The same limits with some changed: `Limits::default().with(|limits| limits.session_calls = 64)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// TCP keep-alive: after 60 silent seconds, each 10 seconds, 3 times. A host that is gone is noticed in 90 seconds.
pub(super) const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);
pub(super) const TCP_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
pub(super) const TCP_KEEP_ALIVE_RETRIES: u32 = 3;

/// An HTTP/2 connection that is silent for 30 seconds gets a ping, and has 10 to answer it.
pub(super) const HTTP2_PING: Duration = Duration::from_secs(30);
pub(super) const HTTP2_PONG: Duration = Duration::from_secs(10);
/// The most exchanges at once on an HTTP/2 connection, standing streams among them. The next one opens
/// another connection. Common servers allow 100 to 128; a server that allows fewer gets fewer.
pub(super) const HTTP2_EXCHANGES: usize = 96;

/// The read and write buffers of a connection for calls: 128 KiB. Large answers then need few system calls,
/// and unused connections hold little memory. It also bounds the head of a response.
pub(super) const CALL_BUFFER: usize = 128 * 1024;
/// The buffers of a connection that listens: 16 KiB. There are many such connections, and they are mostly
/// silent.
pub(super) const LISTEN_BUFFER: usize = 16 * 1024;

/// How many connections in a row may turn out to be dead before a request is sent. Connections that were
/// unused are checked first, so more than one is rare.
pub(super) const STALE_CONNECTIONS: usize = 4;
/// The most redirects that are followed for one message: a trailing slash and a moved path need two.
pub(super) const REDIRECTS: usize = 3;
/// How much of a refusal is searched for a JSON-RPC error.
pub(super) const ERROR_BODY: usize = 64 * 1024;
/// How much memory is allocated for an answer because of its `Content-Length`, before it arrives.
pub(super) const BODY_RESERVE: usize = 1 << 20;
/// How much of an invalid message is searched for the id of the call that it answers: 1 KiB. Ids are among
/// the first members.
pub(super) const PEEKED: usize = 1024;
/// How long the end of a response may take after its answer without costing the connection.
pub(super) const DRAIN: Duration = Duration::from_secs(5);
/// How many connections whose response has not ended are checked before a new one is opened.
pub(super) const DRAIN_TRIES: usize = 4;

/// How long a server is assumed to keep an unused connection if it does not say so: 5 seconds, the default of
/// Node and of uvicorn, on which most MCP servers run.
pub(super) const KEPT_UNSAID: Duration = Duration::from_secs(5);
/// How much earlier than the server we close an unused connection: 1 second. A request on a connection that
/// the server is closing may or may not have been seen.
pub(super) const KEPT_MARGIN: Duration = Duration::from_secs(1);

/// How long a server has to accept a notification or a response: 30 s. That is no work for it, and the
/// client's next message waits behind a notification.
pub(super) const ACCEPTANCE: Duration = Duration::from_secs(30);
/// How long the end of a session may take: its DELETE is a courtesy.
pub(super) const CLOSE: Duration = Duration::from_secs(5);
/// The most cancellations and session ends that wait to be sent.
pub(super) const ERRANDS: usize = 16_384;
/// How many of them are sent at once.
pub(super) const ERRANDS_AT_ONCE: usize = 16;

/// How long the first calls of a session wait for its standing stream to open. Many servers lose what they
/// send before that.
pub(super) const STANDING_FIRST: Duration = Duration::from_secs(2);
/// The same, for a server whose stream did not open in that time once before: some send no head before there
/// is an event.
pub(super) const STANDING_FIRST_AGAIN: Duration = Duration::from_millis(500);

/// How long a standing stream that is opened before its session has a listener may take to open, and is kept
/// for a listener: clients ask for it right after `notifications/initialized`.
pub(super) const AHEAD: Duration = Duration::from_secs(10);

/// How often in a row a call's broken stream is resumed without an event of the call in between.
pub(super) const RESUMES: u32 = 5;
/// The pause before connecting again, unless the server sets one. It doubles with each failure.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// The longest pause before connecting again, unless the server sets one.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(30);
/// The shortest pause that a server may ask for: 100 ms. With `retry: 0` we would connect as fast as the
/// server answers.
pub(super) const RETRY_ASKED_MIN: Duration = Duration::from_millis(100);
/// The longest pause that a server may ask for: an hour.
pub(super) const RETRY_ASKED_MAX: Duration = Duration::from_secs(3600);
/// How long a stream has to live to count as a good one even if nothing came: the next pause is then the
/// first again.
pub(super) const STREAM_LIVED: Duration = Duration::from_secs(10);

/// The most tools with mirrored parameters that are remembered of one upstream.
pub(super) const MIRRORED_TOOLS: usize = 1024;

/// The most pages of a tool list that are fetched after a call was refused for its headers.
pub(super) const RELIST_PAGES: usize = 16;

/// How long a server has to answer `server/discover` before it counts as legacy: 5 s. Some servers never
/// answer unknown requests.
pub(super) const PROBE: Duration = Duration::from_secs(5);
/// How long it then has to answer `initialize`: 30 s, half of what clients wait. A server that a package
/// manager starts for this is ready by then.
pub(super) const PROBE_INITIALIZE: Duration = Duration::from_secs(30);
/// The most revisions that are read from a server's error. Five exist.
pub(super) const PROBE_VERSIONS: usize = 64;

/// The most characters of a header that an error quotes: 64. Real media types and codings are shorter.
pub(super) const QUOTED_CHARS: usize = 64;
/// The most characters of the text of a refusal that an error quotes: 200. Servers that give a reason in
/// plain text write one sentence.
pub(super) const QUOTED_TEXT_CHARS: usize = 200;
/// The most characters of the name of an authentication scheme that an error quotes: 32.
pub(super) const QUOTED_SCHEME_CHARS: usize = 32;

//! Every bound of the client, with its default and the reason for it.

use std::time::Duration;

/// How much of an upstream is accepted, and how long it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// What is accepted of each message.
    pub message: crossway_proto::Limits,
    /// The most calls in flight on one link with a session of its own.
    pub session_calls: usize,
    /// The most calls in flight on a link that is shared.
    pub shared_calls: usize,
    /// How long name resolution, connecting and the TLS handshake may take together.
    pub connect: Duration,
    /// How long a response may be silent before its connection is taken for dead; `None` waits for as long as the
    /// call does. Servers that send no keep-alive comments are silent for as long as a tool runs.
    pub read_idle: Option<Duration>,
    /// How long a connection without a request is kept for the next one, at most.
    pub pool_idle: Duration,
    /// The most connections that are kept without a request.
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
    /// 30 seconds: less than the proxies in between wait. That is for servers that name a time in `Keep-Alive`, and
    /// those that name a shorter one have it; for others it is 4 seconds.
    pub const POOL_IDLE: Duration = Duration::from_secs(30);
    /// 256 connections, of about 10 KiB each: bursts beyond that open new ones.
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

/// An HTTP/2 connection that is silent for 30 seconds is asked whether it still lives, and has 10 to say so.
pub(super) const HTTP2_PING: Duration = Duration::from_secs(30);
pub(super) const HTTP2_PONG: Duration = Duration::from_secs(10);
/// The most exchanges at once on an HTTP/2 connection, standing streams among them; the next opens another one. Common
/// servers allow 100 to 128, and one that allows fewer has fewer.
pub(super) const HTTP2_EXCHANGES: usize = 96;

/// Read and write buffers of a connection for calls: 128 KiB, so that large answers need few system calls, and so
/// that the pool's connections hold little after them. A response's head may be that long too.
pub(super) const CALL_BUFFER: usize = 128 * 1024;
/// Buffers of a connection that listens: 16 KiB. They are many, and mostly silent.
pub(super) const LISTEN_BUFFER: usize = 16 * 1024;

/// How many connections in a row may turn out to be dead before a request is sent. Those that waited are looked at
/// first, so that more than one is rare.
pub(super) const STALE_CONNECTIONS: usize = 4;
/// The most redirects that are followed for one message: a trailing slash and a moved path need two.
pub(super) const REDIRECTS: usize = 3;
/// How much of a refusal is read in search of a JSON-RPC error.
pub(super) const ERROR_BODY: usize = 64 * 1024;
/// How much is allocated for an answer by its `Content-Length` alone, before it comes.
pub(super) const BODY_RESERVE: usize = 1 << 20;
/// How much is read of a message that is not valid, to find the id of the call that it answers: 1 KiB, since ids are among the first members.
pub(super) const PEEKED: usize = 1024;
/// How long a response's end may come after its answer without costing the connection.
pub(super) const DRAIN: Duration = Duration::from_secs(5);
/// How many connections whose response has not ended are looked at before a new one is opened.
pub(super) const DRAIN_TRIES: usize = 4;

/// For how long a server is taken to keep a connection if it says nothing of it: 5 seconds, the default of Node and of
/// uvicorn, on which most MCP servers run.
pub(super) const KEPT_UNSAID: Duration = Duration::from_secs(5);
/// A second less than the server waits, so that no request meets its hanging up: nobody could tell whether the server
/// has seen it.
pub(super) const KEPT_MARGIN: Duration = Duration::from_secs(1);

/// How long a server has to accept a notification or a response: 30 s. It has nothing to do for that, and what a client says next
/// waits behind a notification.
pub(super) const ACCEPTANCE: Duration = Duration::from_secs(30);
/// How long a session's end is waited for: DELETE is a courtesy.
pub(super) const CLOSE: Duration = Duration::from_secs(5);
/// The most cancellations and session ends that wait for being sent.
pub(super) const ERRANDS: usize = 16_384;
/// How many of them are sent at once.
pub(super) const ERRANDS_AT_ONCE: usize = 16;

/// How long the first calls of a session let its standing stream go first. What the server says before it has that
/// stream is lost with many servers.
pub(super) const STANDING_FIRST: Duration = Duration::from_secs(2);
/// The same, for a server that was once waited for in vain: some give no head before there is an event.
pub(super) const STANDING_FIRST_AGAIN: Duration = Duration::from_millis(500);

/// How long a standing stream that is opened before its session has a listener is waited for, and kept for one: clients
/// ask for it right after `notifications/initialized`.
pub(super) const AHEAD: Duration = Duration::from_secs(10);

/// How often in a row a call's broken stream is taken up without an event of the call coming of it.
pub(super) const RESUMES: u32 = 5;
/// How long to wait before connecting again, unless the server says otherwise; doubled with each failure.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// The longest time to wait before connecting again of our own accord.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(30);
/// The shortest time that a server may tell us to wait: 100 ms. `retry: 0` would have us connect as fast as the server answers.
pub(super) const RETRY_ASKED_MIN: Duration = Duration::from_millis(100);
/// The longest time that a server may tell us to wait: an hour.
pub(super) const RETRY_ASKED_MAX: Duration = Duration::from_secs(3600);
/// A stream that lived for this long was a good one, though nothing came: the next back-off starts anew.
pub(super) const STREAM_LIVED: Duration = Duration::from_secs(10);

/// The most tools with mirrored parameters that are remembered of one upstream.
pub(super) const MIRRORED_TOOLS: usize = 1024;

/// The most pages of a tool list that are asked for after a call was refused for its headers.
pub(super) const RELIST_PAGES: usize = 16;

/// How long a server has to answer `server/discover` before it is taken for a legacy one: 5 s. Some never answer what they do not know.
pub(super) const PROBE: Duration = Duration::from_secs(5);
/// How long it has to answer `initialize` then: 30 s, in which one that is started for this by a package manager is there, and half of what clients
/// wait.
pub(super) const PROBE_INITIALIZE: Duration = Duration::from_secs(30);
/// The most revisions that are read of a server's error. Five exist.
pub(super) const PROBE_VERSIONS: usize = 64;

/// How much of a header is quoted in an error: 64 characters. Media types and codings that are in use are shorter.
pub(super) const QUOTED_CHARS: usize = 64;
/// How much is quoted of the text of a refusal: 200 characters. A reason that servers give in plain text is one sentence.
pub(super) const QUOTED_TEXT_CHARS: usize = 200;
/// How much of the name of an authentication scheme is quoted: 32 characters.
pub(super) const QUOTED_SCHEME_CHARS: usize = 32;

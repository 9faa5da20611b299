//! Every bound of the server, with its default and the reason for it.

use std::time::Duration;

/// How much an endpoint accepts from its clients, and what it keeps for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The bounds of each message. `message_bytes` is the longest request body.
    pub message: crossway_proto::Limits,
    /// How long a request body may make no progress.
    pub body_idle: Duration,
    /// The most bytes of header names and values in one request.
    pub header_bytes: usize,
    /// How long a call may be silent. Then its response begins as a stream, and comments keep it open.
    pub keep_alive: Duration,
    /// How long a client should wait before it resumes a stream that ended early.
    pub retry: Duration,
    /// The most sessions.
    pub sessions: usize,
    /// Whether a further session ends the one that was unused for the longest time, to within ten seconds. A
    /// session with an open stream or a call in flight is never ended; if all sessions have one, the new
    /// session is refused. For upstreams whose sessions are processes.
    pub evicts_sessions: bool,
    /// How long a session without an open stream and without a call in flight is kept.
    pub session_idle: Duration,
    /// How long a session whose id is a handle (`Config::session_handles`) lives, used or not. A stolen
    /// handle is of no use after that.
    pub session_life: Duration,
    /// The most streams for messages outside calls that one session may have open. A further one closes the
    /// oldest.
    pub standing_streams: usize,
    /// The most calls of one session that continue after their client has gone away.
    pub detached_calls: usize,
    /// The most events that are kept for a session, in case one of its streams breaks.
    pub kept_events: usize,
    /// The most bytes of events that are kept for a session. One event may exceed this, so that every message
    /// that is accepted can be sent again.
    pub kept_bytes: usize,
    /// The most bytes of events that are kept for all sessions together. The sessions of one owner may have
    /// an eighth of it.
    pub kept_bytes_in_all: usize,
    /// How long events are kept after their stream has ended.
    pub kept_for: Duration,
}

impl Limits {
    /// 30 seconds: enough for several retransmissions of a lost packet.
    pub const BODY_IDLE: Duration = Duration::from_secs(30);
    /// 64 KiB: tokens and cookies of 32 KiB occur in the field, and proxies refuse longer headers.
    pub const HEADER_BYTES: usize = 64 * 1024;
    /// 15 seconds: half of the shortest idle time-outs that proxies have.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
    /// 1 second: as long as clients wait by themselves.
    pub const RETRY: Duration = Duration::from_secs(1);
    /// 100,000 sessions: six for each of 15,000 users, at about 1 KiB each on our side.
    pub const SESSIONS: usize = 100_000;
    /// 30 minutes: longer than a person looks away from a chat.
    pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
    /// 24 hours: longer than a working day, and shorter than most tokens live before they are refreshed.
    pub const SESSION_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
    /// 4 streams: one is usual, and a client that lost its connection may come back before the loss is
    /// noticed.
    pub const STANDING_STREAMS: usize = 4;
    /// 64 calls: a client that has gone away with more in flight will not come back for all of them.
    pub const DETACHED_CALLS: usize = 64;
    /// 1,024 events: what calls send while a client reconnects.
    pub const KEPT_EVENTS: usize = 1024;
    /// 4 MiB: the large answers of a few calls.
    pub const KEPT_BYTES: usize = 4 << 20;
    /// 256 MiB: an eighth of a container of 2 GiB.
    pub const KEPT_BYTES_IN_ALL: usize = 256 << 20;
    /// 5 minutes: clients give up reconnecting within seconds.
    pub const KEPT_FOR: Duration = Duration::from_secs(5 * 60);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: crossway_proto::Limits::default(),
            body_idle: Self::BODY_IDLE,
            header_bytes: Self::HEADER_BYTES,
            keep_alive: Self::KEEP_ALIVE,
            retry: Self::RETRY,
            sessions: Self::SESSIONS,
            evicts_sessions: false,
            session_idle: Self::SESSION_IDLE,
            session_life: Self::SESSION_LIFE,
            standing_streams: Self::STANDING_STREAMS,
            detached_calls: Self::DETACHED_CALLS,
            kept_events: Self::KEPT_EVENTS,
            kept_bytes: Self::KEPT_BYTES,
            kept_bytes_in_all: Self::KEPT_BYTES_IN_ALL,
            kept_for: Self::KEPT_FOR,
        }
    }
}

impl Limits {
    /// The same limits with some changed: `Limits::default().with(|limits| limits.sessions = 100)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// How often sessions and events to drop are looked for: 10 seconds, exact enough for bounds of minutes. It
/// is less than [`Limits::KEEP_ALIVE`] on purpose: with a nearer timer pending, setting one per call does not
/// have to wake the thread that waits for input.
pub(super) const SWEEP: Duration = Duration::from_secs(10);

/// The owners of sessions that can together fill the room for kept events: 8. Each has an eighth of it at
/// most, 32 MiB, which is eight sessions with all that is kept for one.
pub(super) const OWNERS: usize = 8;

/// The owners whose kept events are counted before those without a session are removed: 64.
pub(super) const KEPT_OWNERS: usize = 64;

/// Messages up to 4 KiB are copied into one piece: that is cheaper than passing on three.
pub(super) const FLATTEN: usize = 4096;

/// How much memory is allocated for a request body because of its `Content-Length`: 1 MiB. More is allocated
/// as the body arrives.
pub(super) const BODY_RESERVE: usize = 1 << 20;

/// How much of a refused body is read and thrown away, so that the refusal is not lost in a reset connection:
/// 64 MiB, a body of the longest kind.
pub(super) const DISCARD: usize = 64 << 20;

/// How long clients are told to wait when there is no room, in seconds: 5. Some sessions end in that time.
pub(super) const RETRY_AFTER: u64 = 5;

/// The most tools with mirrored arguments that are remembered for one caller: 4,096, far more than any list
/// has.
pub(super) const TOOLS: usize = 4096;

/// The same for all callers together: 65,536, some 20 MiB. The callers with the oldest lists are forgotten
/// first.
pub(super) const ALL_TOOLS: usize = 16 * TOOLS;

/// The longest `params` of `initialize` from which a handle is made: 4 KiB. A session id holds less than
/// that.
pub(super) const INITIALIZE: usize = 4096;

/// The most ended sessions that are remembered, so that their handles open nothing: 100,000, as many as there
/// may be. The oldest is forgotten first.
pub(super) const ENDED: usize = 100_000;

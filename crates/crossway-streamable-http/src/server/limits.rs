//! Every bound of the server, with its default and the reason for it.

use std::time::Duration;

/// How much of its clients an endpoint accepts, and what it keeps for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// What is accepted of each message. `message_bytes` is the longest request body.
    pub message: crossway_proto::Limits,
    /// How long a request body may make no progress.
    pub body_idle: Duration,
    /// The most bytes of header names and values in one request.
    pub header_bytes: usize,
    /// How long a call may be silent: then its response is begun as a stream, and a comment keeps it open.
    pub keep_alive: Duration,
    /// How long a client is asked to wait before it takes up a stream that ended early.
    pub retry: Duration,
    /// The most sessions.
    pub sessions: usize,
    /// Whether one more session than that ends the session that was unused for the longest time, to within ten seconds. A session with
    /// a stream open or a call in flight is not ended; where all have one, the new session is refused. For upstreams whose sessions are
    /// processes.
    pub evicts_sessions: bool,
    /// How long a session is kept that has no stream open and no call in flight.
    pub session_idle: Duration,
    /// How long a session lives whose id is a handle (`Config::session_handles`), used
    /// or not: whoever has got hold of one can use it no longer than that.
    pub session_life: Duration,
    /// The most streams for messages outside calls that one session may have open. When one more is opened, the
    /// oldest is closed.
    pub standing_streams: usize,
    /// The most calls of one session that go on though their client has gone away.
    pub detached_calls: usize,
    /// The most events that are kept for a session, in case a stream of its breaks.
    pub kept_events: usize,
    /// The most bytes of events that are kept for a session. One event more than that may be kept, so that each
    /// message that is accepted can be taken up again.
    pub kept_bytes: usize,
    /// The most bytes of events that are kept for all sessions together; an eighth of that for those of one owner.
    pub kept_bytes_in_all: usize,
    /// How long events are kept after their stream has ended.
    pub kept_for: Duration,
}

impl Limits {
    /// 30 seconds: a packet that was lost is sent anew several times in that.
    pub const BODY_IDLE: Duration = Duration::from_secs(30);
    /// 64 KiB: tokens and cookies of 32 KiB are met in the field, and proxies refuse what is longer.
    pub const HEADER_BYTES: usize = 64 * 1024;
    /// 15 seconds: half of the shortest idle time-outs that proxies have.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
    /// 1 second: what clients wait that are told nothing.
    pub const RETRY: Duration = Duration::from_secs(1);
    /// 100,000 sessions: six for each of 15,000 users, at about 1 KiB each on our side.
    pub const SESSIONS: usize = 100_000;
    /// 30 minutes: longer than a person looks away from a chat.
    pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
    /// 24 hours: longer than a working day, shorter than most tokens' refresh.
    pub const SESSION_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
    /// 4 streams: one is usual, and a client that lost its connection may come back before that is noticed.
    pub const STANDING_STREAMS: usize = 4;
    /// 64 calls: a client that has gone away with more in flight will not come back for all of them.
    pub const DETACHED_CALLS: usize = 64;
    /// 1,024 events: what calls say in the time that a client needs to reconnect.
    pub const KEPT_EVENTS: usize = 1024;
    /// 4 MiB: large answers of a few calls.
    pub const KEPT_BYTES: usize = 4 << 20;
    /// 256 MiB: an eighth of what a container of 2 GiB has.
    pub const KEPT_BYTES_IN_ALL: usize = 256 << 20;
    /// 5 minutes: clients give up to reconnect within seconds.
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

/// How often the sweeper looks for sessions and events to drop: 10 seconds, so that times of minutes are kept well
/// enough. It is also less than [`Limits::KEEP_ALIVE`] on purpose: with a nearer timer pending, setting one per call
/// does not have to wake the thread that waits for input.
pub(super) const SWEEP: Duration = Duration::from_secs(10);

/// How many owners of sessions can fill what is kept of events for all sessions: 8. One of them has an eighth of it at the most, 32 MiB,
/// which is eight sessions with all that is kept for one.
pub(super) const OWNERS: usize = 8;

/// Of how many owners it is counted what is kept for them, before those are looked for that have no session any more: 64.
pub(super) const KEPT_OWNERS: usize = 64;

/// Messages up to 4 KiB are copied into one piece: cheaper than handing on three.
pub(super) const FLATTEN: usize = 4096;

/// How much is allocated for a request body by its `Content-Length` alone: 1 MiB. What came vouches for the rest.
pub(super) const BODY_RESERVE: usize = 1 << 20;

/// How much of a body is read and thrown away after it was refused, so that the refusal is not lost in a reset
/// connection: 64 MiB, a body of the longest kind.
pub(super) const DISCARD: usize = 64 << 20;

/// What clients are told to wait when there is no room, in seconds: 5, in which sessions end.
pub(super) const RETRY_AFTER: u64 = 5;

/// The most tools of which it is remembered for one caller that arguments of theirs are mirrored: 4,096, far more than any list has.
pub(super) const TOOLS: usize = 4096;

/// The same for all callers together: 65,536, some 20 MiB. Those whose lists are the oldest make room.
pub(super) const ALL_TOOLS: usize = 16 * TOOLS;

/// The longest `params` of `initialize` of which a handle is made: 4 KiB. What fits into a session id is less.
pub(super) const INITIALIZE: usize = 4096;

/// The most ended sessions that are remembered, so that their handles open nothing: 100,000, as many as there may be.
/// The oldest is forgotten first.
pub(super) const ENDED: usize = 100_000;

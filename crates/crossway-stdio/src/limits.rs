//! Every bound of this crate, with its default and the reason for it.

use std::time::Duration;

/// How a child process is run, and how much it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How much of a message is accepted from the child.
    pub message: crossway_proto::Limits,
    /// How much waits for those who read more slowly than the child writes.
    pub service: crossway_service::Limits,
    /// The most bytes that wait for a child that does not read. One message more than that may wait, so that each
    /// message that is accepted can pass.
    pub outgoing_bytes: usize,
    /// How long a child has to exit by itself once its stdin is closed.
    pub close_wait: Duration,
    /// How long the child and all its descendants have to exit after SIGTERM. What is left then is killed.
    pub term_wait: Duration,
    /// How long a child has to answer the question for its era before it is taken for a legacy one.
    pub probe_timeout: Duration,
    /// The pause before a shared child that has crashed is started anew; it doubles with each crash.
    pub restart_first: Duration,
    /// The longest such pause.
    pub restart_most: Duration,
    /// How many of the child's last lines on stderr are quoted in the errors of calls that its death fails.
    pub quoted_lines: usize,
}

impl Options {
    /// 128 MiB: two of the longest messages that are accepted, or eight of 16 MiB. Messages are here already when
    /// they have to wait, so a lower bound would refuse what the child would take within the second.
    pub const OUTGOING_BYTES: usize = 128 << 20;
    /// 3 s: servers that heed the end of their stdin exit within milliseconds, and a bridge that is told to stop
    /// is killed by its own supervisor after ten seconds, in most places.
    pub const CLOSE_WAIT: Duration = Duration::from_secs(3);
    /// 3 s, as above.
    pub const TERM_WAIT: Duration = Duration::from_secs(3);
    /// 2 s: a legacy server may say nothing at all, and a client waits for the verdict.
    pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
    /// 100 ms: the first restart is hardly noticed.
    pub const RESTART_FIRST: Duration = Duration::from_millis(100);
    /// 30 s: a broken server costs next to nothing, and is found mended within half a minute.
    pub const RESTART_MOST: Duration = Duration::from_secs(30);
    /// 20 lines: a stack trace's end, with what was thrown.
    pub const QUOTED_LINES: usize = 20;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            message: crossway_proto::Limits::default(),
            service: crossway_service::Limits::default(),
            outgoing_bytes: Self::OUTGOING_BYTES,
            close_wait: Self::CLOSE_WAIT,
            term_wait: Self::TERM_WAIT,
            probe_timeout: Self::PROBE_TIMEOUT,
            restart_first: Self::RESTART_FIRST,
            restart_most: Self::RESTART_MOST,
            quoted_lines: Self::QUOTED_LINES,
        }
    }
}

impl Options {
    /// The same options with some changed: `Options::default().with(|options| options.quoted_lines = 0)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// How a client on a stream of bytes is served, and how much it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeOptions {
    /// How much of a message is accepted from the client.
    pub message: crossway_proto::Limits,
    /// How much of the client's may be on its way at once.
    pub service: crossway_service::Limits,
    /// How long what the client asked before it closed its side may take to be answered, and to be written.
    pub drain: Duration,
}

impl ServeOptions {
    /// 10 s: a pipeline gets its answers, and a launcher does not wait for ever.
    pub const DRAIN: Duration = Duration::from_secs(10);
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            message: crossway_proto::Limits::default(),
            service: crossway_service::Limits::default(),
            drain: Self::DRAIN,
        }
    }
}

impl ServeOptions {
    /// The same options with some changed: `ServeOptions::default().with(|options| options.drain = Duration::ZERO)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// 1 MiB: what is read of a client before there is an upstream for it. Its first messages are some hundred bytes.
pub(crate) const READ_AHEAD_BYTES: usize = 1 << 20;

/// 256 KiB: what a pipe grows to when a message does not fit. Larger ones save switches between the processes and
/// lose more by leaving the processor's caches: answers of 64 KiB cost a quarter more through 1 MiB.
#[cfg(target_os = "linux")]
pub(crate) const PIPE_BYTES: usize = 256 << 10;
/// 64 slices in one vectored write: some sixteen messages.
pub(crate) const SLICES_PER_WRITE: usize = 64;
/// 16 vectored writes, or some hundred messages: then a sender leaves the rest to the driver, and the driver reads
/// before it writes on.
#[cfg(unix)]
pub(crate) const WRITES_IN_A_ROW: usize = 16;
/// 500 ms: how long a child that has closed one of its streams has to exit, so that its status can be told.
pub(crate) const EXIT_GRACE: Duration = Duration::from_millis(500);
/// 100 ms: how long after a child's exit its output is read to the end. It is there already; only a descendant
/// that holds the stream open makes it last.
pub(crate) const OUTPUT_GRACE: Duration = Duration::from_millis(100);
/// 30 s: how long what a child said before its exit waits for a client that does not take it.
pub(crate) const HELD_WAIT: Duration = Duration::from_secs(30);
/// 1 s: how long what was killed has to be gone.
pub(crate) const KILL_WAIT: Duration = Duration::from_secs(1);
/// 2 ms: when it is looked again whether descendants are gone, which nothing tells; then after twice that, and so on.
#[cfg(unix)]
pub(crate) const GROUP_POLL_FIRST: Duration = Duration::from_millis(2);
/// 250 ms: the longest such pause.
#[cfg(unix)]
pub(crate) const GROUP_POLL_MOST: Duration = Duration::from_millis(250);
/// 60 s: how long a child that was silent at first may still turn out to be modern: package runners download
/// what they run.
pub(crate) const LATE_VERDICT: Duration = Duration::from_secs(60);
/// 4 KiB of a line of stderr; what is longer is cut.
pub(crate) const STDERR_LINE_BYTES: usize = 4 << 10;
/// 4 KiB of a child's last words.
pub(crate) const QUOTED_BYTES: usize = 4 << 10;
/// 120 characters of a line of noise.
pub(crate) const NOISE_CHARS: usize = 120;
/// The first 8 lines of noise are logged; after that those whose count is a power of two.
pub(crate) const NOISE_LOGGED: u64 = 8;
/// 256 KiB: what waits to be written to a client before no more of its answers are taken from upstream.
pub(crate) const UNWRITTEN_BYTES: usize = 256 << 10;
/// 64 KiB of refusals that a client has not read: until it has, it is not read from.
pub(crate) const UNREAD_REFUSALS: usize = 64 << 10;

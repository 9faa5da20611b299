//! Every bound of this crate, with its default and the reason for it.

use std::time::Duration;

/// How a child process is run, and how much it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The bounds of each message from the child.
    pub message: crossway_proto::Limits,
    /// How much is held for readers that are slower than the child.
    pub service: crossway_service::Limits,
    /// The most bytes that wait to be written to the child's stdin. One message may exceed this, so that
    /// every message that is accepted can pass.
    pub outgoing_bytes: usize,
    /// How long the child has to exit by itself once its stdin is closed.
    pub close_wait: Duration,
    /// How long the child and all its descendants have to exit after SIGTERM. Those that are left are killed.
    pub term_wait: Duration,
    /// How long the child has to answer the probe for its era before it counts as legacy.
    pub probe_timeout: Duration,
    /// The pause before a shared child that has crashed is started again. It doubles with each crash.
    pub restart_first: Duration,
    /// The longest such pause.
    pub restart_most: Duration,
    /// How many of the child's last lines on stderr are quoted in the errors of the calls that fail with it.
    pub quoted_lines: usize,
}

impl Options {
    /// 128 MiB: two of the longest messages that are accepted, or eight of 16 MiB. Waiting messages are in
    /// memory already, and a lower bound would refuse what the child can take within the second.
    pub const OUTGOING_BYTES: usize = 128 << 20;
    /// 3 s: servers that watch their stdin exit within milliseconds. Most supervisors kill a bridge ten
    /// seconds after they asked it to stop.
    pub const CLOSE_WAIT: Duration = Duration::from_secs(3);
    /// 3 s, as above.
    pub const TERM_WAIT: Duration = Duration::from_secs(3);
    /// 2 s: a legacy server may not answer the probe at all, and a client waits for the verdict.
    pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
    /// 100 ms: people hardly notice the first restart.
    pub const RESTART_FIRST: Duration = Duration::from_millis(100);
    /// 30 s: retries of a broken server cost next to nothing, and a repaired one is found within half a
    /// minute.
    pub const RESTART_MOST: Duration = Duration::from_secs(30);
    /// 20 lines: the end of a stack trace, with the error that was thrown.
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
    /// The bounds of each message from the client.
    pub message: crossway_proto::Limits,
    /// How many calls and bytes of the client may be in flight at once.
    pub service: crossway_service::Limits,
    /// How long the calls that the client made before it closed its side may take to be answered and written.
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

/// 1 MiB that is read from a client before it has an upstream. Its first messages are some hundred bytes.
pub(crate) const READ_AHEAD_BYTES: usize = 1 << 20;

/// 256 KiB to which a pipe grows when a message does not fit. Larger pipes save switches between the
/// processes, but lose more by leaving the processor's caches: answers of 64 KiB cost a quarter more through
/// 1 MiB.
#[cfg(target_os = "linux")]
pub(crate) const PIPE_BYTES: usize = 256 << 10;
/// 64 slices in one vectored write: some sixteen messages.
pub(crate) const SLICES_PER_WRITE: usize = 64;
/// 16 vectored writes in a row, or some hundred messages. Then a sender leaves the rest to the driver, which
/// reads before it writes on.
#[cfg(unix)]
pub(crate) const WRITES_IN_A_ROW: usize = 16;
/// 500 ms for a child to exit after it has closed one of its streams, so that errors can tell its exit
/// status.
pub(crate) const EXIT_GRACE: Duration = Duration::from_millis(500);
/// 100 ms without output, after which the output of a child that has exited counts as read to its end. It is
/// in the pipe already, unless a descendant holds the stream open.
pub(crate) const OUTPUT_GRACE: Duration = Duration::from_millis(100);
/// 30 s for which messages that a child wrote before its exit wait for a client that does not read.
pub(crate) const HELD_WAIT: Duration = Duration::from_secs(30);
/// 1 s for killed processes to be gone.
pub(crate) const KILL_WAIT: Duration = Duration::from_secs(1);
/// 2 ms until the first check whether descendants are gone, which the system does not report. The pause then
/// doubles each time.
#[cfg(unix)]
pub(crate) const GROUP_POLL_FIRST: Duration = Duration::from_millis(2);
/// 250 ms: the longest of these pauses.
#[cfg(unix)]
pub(crate) const GROUP_POLL_MOST: Duration = Duration::from_millis(250);
/// 60 s in which a child that was silent at first may still turn out to be modern. Package runners download
/// the server first.
pub(crate) const LATE_VERDICT: Duration = Duration::from_secs(60);
/// 4 KiB of a line on stderr. Longer lines are cut.
pub(crate) const STDERR_LINE_BYTES: usize = 4 << 10;
/// 4 KiB of a child's last lines on stderr are quoted in errors.
pub(crate) const QUOTED_BYTES: usize = 4 << 10;
/// 120 characters of a line of noise are logged.
pub(crate) const NOISE_CHARS: usize = 120;
/// 8 lines of noise are logged at first. After that, only those whose count is a power of two.
pub(crate) const NOISE_LOGGED: u64 = 8;
/// 256 KiB that wait to be written to a client before no more of its answers are taken from the upstream.
pub(crate) const UNWRITTEN_BYTES: usize = 256 << 10;
/// 64 KiB of refusals that a client has not read. Until it has read them, nothing is read from it.
pub(crate) const UNREAD_REFUSALS: usize = 64 << 10;

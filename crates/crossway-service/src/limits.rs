//! Every bound of this crate, with its default and the reason for it.

use std::time::Duration;

/// How much a connection holds for those who are slower than it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most calls in flight on one connection.
    pub calls_in_flight: usize,
    /// The most messages that wait for the reader of one reply, or for a listener.
    pub waiting_messages: usize,
    /// The most bytes that wait for the reader of one reply, or for a listener. One message more than that may
    /// wait, so that each message that a transport accepts can pass.
    pub waiting_bytes: usize,
    /// The most calls of one client in flight on its pipe, and the most messages of it that wait to be handed on when those are.
    pub inbox_messages: usize,
    /// The most bytes of one client that wait to be handled. One message more than that may wait, so that each
    /// message that a transport accepts can pass.
    pub inbox_bytes: usize,
}

impl Limits {
    /// 4,096 calls: a thousand times what chat clients have in flight, and a table of less than 1 MiB.
    pub const CALLS_IN_FLIGHT: usize = 4096;
    /// 1,024 messages: a burst of progress passes without loss.
    pub const WAITING_MESSAGES: usize = 1024;
    /// 1 MiB: what a stalled reader may cost.
    pub const WAITING_BYTES: usize = 1 << 20;
    /// 1,024 messages: a client that does not wait for its notifications to be taken.
    pub const INBOX_MESSAGES: usize = 1024;
    /// 256 responses and cancellations of a client that has as much on its way as it may have: they are what lets its calls end. Also how many
    /// refusals wait for a client to read them before it is read from again.
    pub const URGENT_MESSAGES: usize = 256;
    /// 16 MiB: more than clients send before they wait, and little enough for each of them to do so.
    pub const INBOX_BYTES: usize = 16 << 20;
    /// 128 MiB on their way in each direction of a pipe within the process, as for a child's stdin. One message more than that may be.
    pub const PIPE_BYTES: usize = 128 << 20;
    /// How long a connection that is being closed may take: then it is dropped as it is.
    pub const CLOSE: Duration = Duration::from_secs(10);
    /// 30 years: no wait is longer, and no clock ends before.
    pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_in_flight: Self::CALLS_IN_FLIGHT,
            waiting_messages: Self::WAITING_MESSAGES,
            waiting_bytes: Self::WAITING_BYTES,
            inbox_messages: Self::INBOX_MESSAGES,
            inbox_bytes: Self::INBOX_BYTES,
        }
    }
}

impl Limits {
    /// The same limits with some changed: `Limits::default().with(|limits| limits.calls_in_flight = 64)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

//! Every bound of this crate, with its default and the reason for it.

use std::time::Duration;

/// How much a connection holds for readers that are slower than it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most calls in flight on one connection.
    pub calls_in_flight: usize,
    /// The most messages that wait for the reader of one reply, or for a listener.
    pub waiting_messages: usize,
    /// The most bytes that wait for the reader of one reply, or for a listener. One message may exceed this,
    /// so that every message that a transport accepts can pass.
    pub waiting_bytes: usize,
    /// The most calls of one client in flight on its pipe, and the most of its messages that wait while that
    /// many calls are in flight.
    pub inbox_messages: usize,
    /// The most bytes of one client that wait to be handled. One message may exceed this, so that every
    /// message that a transport accepts can pass.
    pub inbox_bytes: usize,
}

impl Limits {
    /// 4,096 calls: a thousand times what chat clients have in flight, and a table of less than 1 MiB.
    pub const CALLS_IN_FLIGHT: usize = 4096;
    /// 1,024 messages: no burst of progress notifications loses one.
    pub const WAITING_MESSAGES: usize = 1024;
    /// 1 MiB: the most memory that a stalled reader costs.
    pub const WAITING_BYTES: usize = 1 << 20;
    /// 1,024 messages, for clients that send notifications without waiting.
    pub const INBOX_MESSAGES: usize = 1024;
    /// 256 responses and cancellations that are still accepted from a client whose inbox is full, because
    /// they let its calls end. It is also the number of refusals that a client may leave unread before
    /// nothing more is read from it.
    pub const URGENT_MESSAGES: usize = 256;
    /// 16 MiB: more than clients send before they wait, and little enough that every client can do so.
    pub const INBOX_BYTES: usize = 16 << 20;
    /// 128 MiB in flight in each direction of a pipe within the process, as for a child's stdin. One message
    /// may exceed this.
    pub const PIPE_BYTES: usize = 128 << 20;
    /// How long a connection may take to close: 10 s. Then it is dropped as it is.
    pub const CLOSE: Duration = Duration::from_secs(10);
    /// 30 years: longer waits are cut to this, because larger times overflow the clocks of some systems.
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

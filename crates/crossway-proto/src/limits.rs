//! Every bound of this crate, with its default and the reason for it.

/// The bounds of a message that is accepted.
///
/// Each transport has one of these; `Limits::default()` is what the gateway uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message, in bytes.
    pub message_bytes: usize,
    /// The deepest nesting of arrays and objects.
    pub depth: usize,
    /// The longest request id or progress token, in bytes of its JSON form.
    pub id_bytes: usize,
    /// The most messages in one batch.
    pub batch_messages: usize,
}

impl Limits {
    /// 64 MiB: four times the largest answers seen in the field, and small enough that one message does not
    /// exhaust a container.
    pub const MESSAGE_BYTES: usize = 64 * 1024 * 1024;
    /// 128 levels, as in `serde_json`: the other side would refuse deeper messages.
    pub const DEPTH: usize = 128;
    /// 16 KiB: an id is kept as long as its call is in flight.
    pub const ID_BYTES: usize = 16 * 1024;
    /// 128 messages: a batch opens that many calls at once.
    pub const BATCH_MESSAGES: usize = 128;
    /// 65,536 calls in flight on one upstream connection: the number of slots that an upstream id can name.
    pub const CALLS_IN_FLIGHT: usize = 1 << 16;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: Self::MESSAGE_BYTES,
            depth: Self::DEPTH,
            id_bytes: Self::ID_BYTES,
            batch_messages: Self::BATCH_MESSAGES,
        }
    }
}

impl Limits {
    /// The same limits with some changed: `Limits::default().with(|limits| limits.depth = 64)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

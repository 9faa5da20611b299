//! Which eras an upstream speaks.

/// The revisions that an upstream speaks, as far as known; see [`probe`](super::StreamableHttpUpstream::probe).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Era {
    /// Not known: all messages are passed on, and the upstream decides whether it speaks their revision.
    #[default]
    Unknown,
    /// Revisions before 2026-07-28 only. Modern requests are refused at once, so that clients fall back to
    /// `initialize` without a round trip.
    Legacy,
    /// 2026-07-28 or later, and maybe others as well.
    Modern,
}

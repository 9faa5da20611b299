//! Timeout errors.

use std::time::Duration;

use crossway_service::{CallError, Reason};

/// The limit that was exceeded, and its duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Elapsed {
    /// No message of the call came for this long.
    #[error("nothing was heard of the call for {} ms", .0.as_millis())]
    Idle(Duration),
    /// The call as a whole took longer than this.
    #[error("the call took more than {} ms", .0.as_millis())]
    Total(Duration),
}

impl From<Elapsed> for CallError {
    /// The call may have been sent: its outcome is unknown.
    fn from(elapsed: Elapsed) -> Self {
        let (Elapsed::Idle(time) | Elapsed::Total(time)) = elapsed;
        Self::unknown(Reason::TimedOut(time))
    }
}

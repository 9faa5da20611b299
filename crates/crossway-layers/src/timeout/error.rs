//! Timeout errors.

use std::time::Duration;

use crossway_service::{CallError, Reason};

/// What took too long, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Elapsed {
    /// Nothing was heard of the call.
    #[error("nothing was heard of the call for {} ms", .0.as_millis())]
    Idle(Duration),
    /// The call as a whole.
    #[error("the call took more than {} ms", .0.as_millis())]
    Total(Duration),
}

impl From<Elapsed> for CallError {
    /// It may have been sent: what became of it is not known.
    fn from(elapsed: Elapsed) -> Self {
        let (Elapsed::Idle(time) | Elapsed::Total(time)) = elapsed;
        Self::unknown(Reason::TimedOut(time))
    }
}

//! Errors of recording a call.

use crossway_service::{CallError, ErrorText, Reason};

use crate::limits::AUDIT_RETRY;

/// Why a call can't be recorded. It is not made then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRecorded {
    /// The log has no room.
    #[error("calls can't be recorded as fast as they come")]
    Full,
    /// Nobody writes the log any more.
    #[error("calls are no longer recorded")]
    Closed,
}

impl From<NotRecorded> for CallError {
    fn from(error: NotRecorded) -> Self {
        match error {
            NotRecorded::Full => Self::not_sent(Reason::OverLimit(ErrorText::public(error.to_string())))
                .with_retry_after(AUDIT_RETRY),
            NotRecorded::Closed => Self::not_sent(Reason::Closing),
        }
    }
}

//! The error of an exhausted quota.

use std::time::Duration;

use crossway_service::{CallError, ErrorText, Reason};

use crate::limits::{LIMIT_CLOSED_RETRY, LIMIT_RETRY};

/// The quota that is used up. Contains no key, so as not to reveal who else shares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverQuota {
    /// Calls per time.
    #[error("too many calls in this time")]
    Calls {
        /// The time until there is room for one call.
        retry_after: Duration,
    },
    /// Requests per time, of all kinds.
    #[error("too many requests in this time")]
    Requests {
        /// The time until there is room for one request.
        retry_after: Duration,
    },
    /// Bytes per time.
    #[error("too many bytes in this time")]
    Bytes {
        /// The time until there is room.
        retry_after: Duration,
    },
    /// Concurrent calls, and the queue for them.
    #[error("too many calls wait for their turn")]
    Waiting,
    /// Concurrent calls, after the longest wait.
    #[error("other calls have taken too long")]
    Waited,
    /// The quota allows nothing.
    #[error("no calls are allowed")]
    Closed,
    /// There is no room for the counts of another key.
    #[error("too many quotas are in use")]
    Keys,
}

impl OverQuota {
    /// How long to wait before another attempt.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Closed => LIMIT_CLOSED_RETRY,
            Self::Requests { retry_after } | Self::Calls { retry_after } | Self::Bytes { retry_after } => {
                *retry_after
            }
            Self::Waiting | Self::Waited | Self::Keys => LIMIT_RETRY,
        }
    }
}

impl OverQuota {
    /// Of two refusals, the one with the longer wait.
    pub(super) fn or_longer(self, other: Self) -> Self {
        if other.retry_after() > self.retry_after() { other } else { self }
    }
}

impl From<OverQuota> for CallError {
    fn from(error: OverQuota) -> Self {
        let why = ErrorText::public(error.to_string());
        let reason = match error {
            // The gateway's own bound, not a caller's.
            OverQuota::Keys => Reason::OverLimit(why),
            _ => Reason::OverQuota(why),
        };
        Self::not_sent(reason).with_retry_after(error.retry_after())
    }
}

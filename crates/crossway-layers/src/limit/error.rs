//! The error of an exhausted quota.

use std::time::Duration;

use crossway_service::{CallError, ErrorText, Reason};

use crate::limits::{LIMIT_CLOSED_RETRY, LIMIT_RETRY};

/// Which quota is used up. It names no key: who else uses the same is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverQuota {
    /// Calls per time.
    #[error("too many calls in this time")]
    Calls {
        /// When there is room for one.
        retry_after: Duration,
    },
    /// Requests per time, whatever they are about.
    #[error("too many requests in this time")]
    Requests {
        /// When there is room for one.
        retry_after: Duration,
    },
    /// Bytes per time.
    #[error("too many bytes in this time")]
    Bytes {
        /// When there is room.
        retry_after: Duration,
    },
    /// Calls at once, and those that wait.
    #[error("too many calls wait for their turn")]
    Waiting,
    /// Calls at once, for as long as one waits.
    #[error("other calls have taken too long")]
    Waited,
    /// Nothing at all may be used.
    #[error("no calls are allowed")]
    Closed,
    /// Counts of so many keys can't be kept.
    #[error("too many quotas are in use")]
    Keys,
}

impl OverQuota {
    /// When to try again.
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
    /// Of two that refuse a call, the one that does so for longer.
    pub(super) fn or_longer(self, other: Self) -> Self {
        if other.retry_after() > self.retry_after() { other } else { self }
    }
}

impl From<OverQuota> for CallError {
    fn from(error: OverQuota) -> Self {
        let why = ErrorText::public(error.to_string());
        let reason = match error {
            // Of the gateway's room, and no caller's.
            OverQuota::Keys => Reason::OverLimit(why),
            _ => Reason::OverQuota(why),
        };
        Self::not_sent(reason).with_retry_after(error.retry_after())
    }
}

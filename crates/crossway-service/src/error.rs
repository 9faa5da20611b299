//! Errors of calls: what failed, whose fault it is, and whether the call was sent.

use std::time::Duration;

use crossway_proto::{ErrorCode, ErrorObject, Message, RequestId};
use serde_json::json;

pub use crossway_proto::Outcome;

use crate::ErrorText;

/// The error of a call that the upstream did not answer.
///
/// It says whether the call may have had an effect ([`outcome`](CallError::outcome)): only a call that was not sent can be repeated
/// without risk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CallError {
    reason: Reason,
    outcome: Outcome,
    retry_after: Option<Duration>,
    status: Option<u16>,
}

/// Which side has to act to fix the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The client.
    Downstream,
    /// The MCP server, or the way to it.
    Upstream,
    /// Crossway.
    Ours,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The upstream could not be started or reached.
    #[error("the MCP server can't be reached: {0}")]
    Unavailable(ErrorText),
    /// The connection ended before the answer came.
    #[error("the MCP server went away: {0}")]
    Ended(ErrorText),
    /// The upstream no longer knows the session (2025-11-25, basic/transports, Session Management: 404).
    #[error("the MCP server has ended the session; initialize a new one")]
    SessionEnded,
    /// The client has ended its session (DELETE) while the call was in flight.
    #[error("the client has ended the session")]
    SessionDeleted,
    /// The upstream speaks legacy revisions only, and the call was a modern one.
    #[error("the MCP server speaks revisions before 2026-07-28 only; open a session with `initialize`")]
    LegacyOnly,
    /// The upstream's answer is invalid.
    #[error("the MCP server's answer is not valid: {0}")]
    InvalidAnswer(ErrorText),
    /// The upstream refused the call below the level of messages.
    #[error("the MCP server refused the call with HTTP status {status}{}{}", retry_hint(*.retry_after), in_its_words(.said.as_ref()))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// When to try again, if the upstream said so.
        retry_after: Option<Duration>,
        /// The beginning of the text that the upstream gave as the reason, if it gave one.
        said: Option<ErrorText>,
    },
    /// No answer came in time.
    #[error("the MCP server has not answered within {}", in_words(*.0))]
    TimedOut(Duration),
    /// A bound was reached.
    #[error("too much at once: {0}")]
    OverLimit(ErrorText),
    /// The caller's quota is used up; other callers are not affected.
    #[error("over a quota: {0}")]
    OverQuota(ErrorText),
    /// The connection is being closed on our side.
    #[error("the bridge is closing")]
    Closing,
}

/// A time in words: in seconds if it is a whole number of them.
fn in_words(time: Duration) -> String {
    match time.as_millis() {
        millis if millis > 0 && millis.is_multiple_of(1000) => format!("{} s", time.as_secs()),
        millis => format!("{millis} ms"),
    }
}

fn retry_hint(after: Option<Duration>) -> String {
    after.map(|after| format!("; try again in {} s", whole_seconds(after))).unwrap_or_default()
}

fn in_its_words(said: Option<&ErrorText>) -> String {
    said.map(|said| format!("; it says: {said}")).unwrap_or_default()
}

/// Whole seconds, rounded up, so that nobody comes too early.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

impl CallError {
    /// A failure with a reason and an outcome.
    #[must_use]
    pub fn new(reason: Reason, outcome: Outcome) -> Self {
        Self { reason, outcome, retry_after: None, status: None }
    }

    /// A failure of a call that the upstream has not seen.
    #[must_use]
    pub fn not_sent(reason: Reason) -> Self {
        Self::new(reason, Outcome::NotSent)
    }

    /// A failure after the call was sent.
    #[must_use]
    pub fn unknown(reason: Reason) -> Self {
        Self::new(reason, Outcome::Unknown)
    }

    /// A failure that is the upstream's answer.
    #[must_use]
    pub fn answered(reason: Reason) -> Self {
        Self::new(reason, Outcome::Answered)
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Says with which HTTP status the upstream refused the call, for a reason that does not say it.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Returns the error without details of the server: text that is not [public](ErrorText::is_public) is replaced by `instead`. Use
    /// this before an error goes to a caller who must not learn host names, paths or commands.
    #[must_use]
    pub fn redacted(mut self, instead: &'static str) -> Self {
        // Each reason is named, so that a new one can't be forgotten here.
        match &mut self.reason {
            Reason::Unavailable(why)
            | Reason::Ended(why)
            | Reason::InvalidAnswer(why)
            | Reason::OverLimit(why)
            | Reason::OverQuota(why) => {
                if !why.is_public() {
                    *why = instead.into();
                }
            }
            Reason::Refused { said, .. } => {
                if said.as_ref().is_some_and(|said| !said.is_public()) {
                    *said = None;
                }
            }
            Reason::SessionEnded
            | Reason::SessionDeleted
            | Reason::LegacyOnly
            | Reason::TimedOut(_)
            | Reason::Closing => {}
        }
        self
    }

    /// What is known about the call: whether it was sent, and answered.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Which side has to act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self.reason {
            Reason::SessionEnded | Reason::SessionDeleted | Reason::LegacyOnly | Reason::OverQuota(_) => {
                Fault::Downstream
            }
            Reason::OverLimit(_) | Reason::Closing => Fault::Ours,
            _ => Fault::Upstream,
        }
    }

    /// The HTTP status with which the upstream refused the call, where that is known.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.reason {
            Reason::Refused { status, .. } => Some(status),
            _ => self.status,
        }
    }

    /// When to try again, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.reason {
            Reason::Refused { retry_after, .. } => self.retry_after.or(retry_after),
            _ => self.retry_after,
        }
    }

    /// The same in whole seconds, rounded up, for `Retry-After`.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after().map(whole_seconds)
    }

    /// The JSON-RPC error for the client, with the outcome in its `data`.
    #[must_use]
    pub fn to_error_object(&self) -> ErrorObject {
        let code = match (&self.reason, self.outcome) {
            (Reason::LegacyOnly | Reason::SessionEnded, _) => ErrorCode::INVALID_REQUEST,
            (Reason::OverLimit(_) | Reason::OverQuota(_), _) => ErrorCode::OVER_LIMIT,
            (_, Outcome::NotSent) => ErrorCode::NOT_SENT,
            (_, Outcome::Unknown) => ErrorCode::OUTCOME_UNKNOWN,
            (_, Outcome::Answered) => ErrorCode::INTERNAL_ERROR,
        };
        let mut data = json!({ "outcome": self.outcome.as_str() });
        if let Some(after) = self.retry_after_seconds() {
            data["retryAfterSeconds"] = after.into();
        }
        if let Reason::Refused { status, .. } = self.reason {
            data["httpStatus"] = status.into();
        }
        ErrorObject::new(code, self.reason.to_string()).with_data(&data)
    }

    /// The answer for the client.
    #[must_use]
    pub fn to_message(&self, id: Option<&RequestId>) -> Message {
        Message::error_of(id, &self.to_error_object())
    }
}

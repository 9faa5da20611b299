//! Maps failed calls to HTTP statuses.

use crossway_service::{CallError, Outcome, Reason};
use http::StatusCode;

use super::limits::RETRY_AFTER;

/// The status of a call that failed in a session, after the session was opened.
///
/// Only the call has failed, not the exchange: the error is its response, as the specification asks for one ("the server
/// **MUST** either return `Content-Type: text/event-stream` [...] or `Content-Type: application/json`", 2025-11-25,
/// basic/transports). Clients treat any other status as the end of more than the call: Python's SDK 1 ends its whole
/// session with all other calls in flight. 404 means exactly that.
pub(crate) fn status_in_session(error: &CallError) -> StatusCode {
    match error.reason() {
        Reason::SessionEnded => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// The status of any other failure (stateless requests, `initialize`, messages without an answer), and the time until a retry,
/// in seconds.
///
/// | failure | status |
/// |---|---|
/// | the upstream has ended the session | 404: the client initializes a new one |
/// | the upstream speaks legacy revisions only | 400: clients of both eras fall back to `initialize` |
/// | the caller's own quota is used up | 429 with `Retry-After` |
/// | a limit of the gateway, or it is closing | 503 with `Retry-After`, but for a call that may have run |
/// | the upstream refused because of its load: 429, 503 | the same, with its `Retry-After` |
/// | the upstream refused for another reason | 502. Also 401 and 403: our credentials failed, and the client's own would not help |
/// | no answer in time | 504 |
/// | the upstream can't be reached, and gets no calls for a known time | 503 with `Retry-After` |
/// | the upstream can't be reached otherwise, ended, or gave an invalid answer | 502 |
pub(crate) fn status_of(error: &CallError) -> (StatusCode, Option<u64>) {
    match error.reason() {
        Reason::SessionEnded => (StatusCode::NOT_FOUND, None),
        Reason::LegacyOnly => (StatusCode::BAD_REQUEST, None),
        Reason::OverQuota(_) => {
            (StatusCode::TOO_MANY_REQUESTS, Some(error.retry_after_seconds().unwrap_or(RETRY_AFTER)))
        }
        // With a time to come back, clients would make the call again.
        Reason::Closing if error.outcome() != Outcome::NotSent => (StatusCode::SERVICE_UNAVAILABLE, None),
        Reason::OverLimit(_) | Reason::Closing => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(error.retry_after_seconds().unwrap_or(RETRY_AFTER)))
        }
        Reason::Unavailable(_) if error.retry_after().is_some() => {
            (StatusCode::SERVICE_UNAVAILABLE, error.retry_after_seconds())
        }
        Reason::Refused { status: status @ (429 | 503), .. } => {
            let after = error.retry_after_seconds().unwrap_or(RETRY_AFTER);
            (StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), Some(after))
        }
        Reason::TimedOut(_) => (StatusCode::GATEWAY_TIMEOUT, None),
        _ => (StatusCode::BAD_GATEWAY, None),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn clients_are_told_when_to_come_back_where_that_is_known() {
        let gone = || CallError::not_sent(Reason::Unavailable("nobody listens".into()));
        let full = || CallError::not_sent(Reason::OverLimit("too many".into()));
        let busy =
            |retry_after| CallError::answered(Reason::Refused { status: 429, retry_after, said: None });
        let soon = Duration::from_millis(1500);
        for (error, wanted) in [
            (gone(), (502, None)),
            (gone().with_retry_after(soon), (503, Some(2))),
            (CallError::not_sent(Reason::Closing), (503, Some(RETRY_AFTER))),
            (CallError::unknown(Reason::Closing), (503, None)),
            (full(), (503, Some(RETRY_AFTER))),
            (full().with_retry_after(soon), (503, Some(2))),
            (busy(None), (429, Some(RETRY_AFTER))),
            (busy(Some(Duration::from_secs(7))), (429, Some(7))),
        ] {
            let (status, after) = status_of(&error);
            assert_eq!((status.as_u16(), after), wanted, "{error:?}");
        }
    }
}

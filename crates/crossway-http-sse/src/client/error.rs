//! Errors of options and of opening a stream.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::time::Duration;

use crossway_service::{CallError, Outcome, Reason};
use http::{HeaderName, StatusCode};

/// What is wrong with the URL or the options of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// It is not a URL.
    #[error("the upstream's URL is not valid")]
    Url(#[source] url::ParseError),
    /// Its scheme is another than `http` and `https`.
    #[error("the upstream's URL has to start with http:// or https://")]
    Scheme,
    /// A user name or a password stands in it.
    #[error("the upstream's URL must not hold credentials; give an Authorization header instead")]
    Credentials,
    /// This header is the transport's own.
    #[error("the header {0} is set by the transport")]
    Header(HeaderName),
}

/// A foreign error in whole.
pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a server's stream of events could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No connection to the server.
    #[error("no connection to the server")]
    Connect(#[source] BoxError),
    /// The server can't be trusted: TLS failed.
    #[error("no trusted connection to the server")]
    Tls(#[source] BoxError),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    /// It took too long.
    #[error("{what} took longer than {} ms", after.as_millis())]
    TimedOut {
        /// What took too long.
        what: &'static str,
        /// The bound that it exceeds.
        after: Duration,
    },
    /// The server refused the GET.
    #[error("the server answered the GET with status {}", status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// When to try again, if the server said so.
        retry_after: Option<Duration>,
    },
    /// The server redirects to another origin, or nowhere, or in a circle.
    #[error("the server redirects {0}")]
    Redirect(&'static str),
    /// What the server answered with is no stream of events.
    #[error("the server answered with {0} instead of a stream of events")]
    NotEvents(String),
    /// The stream is compressed, though it was to come as it is.
    #[error("the server's stream of events is encoded as {0}, which was not asked for")]
    Encoded(String),
    /// The stream ended, or said something else, before it said where to POST.
    #[error("the stream {0} before it said where to send messages")]
    NoEndpoint(&'static str),
    /// Where to POST is not a valid URL.
    #[error("the server's endpoint for messages is not a valid URL")]
    InvalidEndpoint(#[source] BoxError),
    /// The server wants messages, and with them credentials, to be sent to another origin.
    #[error("the server's endpoint for messages is of another origin ({0}); that is refused")]
    ForeignEndpoint(String),
}

impl OpenError {
    /// Whether a server answered, but does not speak this transport at that URL.
    #[must_use]
    pub fn is_other_transport(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                matches!(
                    *status,
                    StatusCode::BAD_REQUEST
                        | StatusCode::NOT_FOUND
                        | StatusCode::METHOD_NOT_ALLOWED
                        | StatusCode::NOT_ACCEPTABLE
                )
            }
            Self::NotEvents(_) | Self::NoEndpoint(_) => true,
            Self::TimedOut { what, .. } => *what == ENDPOINT_EVENT,
            _ => false,
        }
    }

    /// Whether the server could not be reached at all, or not be trusted.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Tls(_))
            || matches!(self, Self::TimedOut { what, .. } if *what == CONNECTING)
    }

    /// What the calls that waited for the stream are told. None of them was sent.
    pub(super) fn to_call_error(&self) -> CallError {
        CallError::new(
            match self {
                Self::Status { status, retry_after } => {
                    Reason::Refused { status: status.as_u16(), retry_after: *retry_after }
                }
                error => Reason::Unavailable(chain(error).into()),
            },
            Outcome::NotSent,
        )
    }
}

/// What [`OpenError::TimedOut`] names.
pub(super) const CONNECTING: &str = "connecting";
/// What [`OpenError::TimedOut`] names.
pub(super) const ENDPOINT_EVENT: &str = "the stream's first event";

/// An error with its causes, in one line.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            // Writing to a string does not fail.
            let _ = write!(text, ": {cause_text}");
        }
        next = cause.source();
    }
    text
}

//! Errors of options and of opening a stream.

use std::error::Error as StdError;
use std::time::Duration;

use crossway_service::{CallError, ErrorText, Outcome, Reason, with_causes};
use http::{HeaderName, StatusCode};

/// An error in the URL or the options of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The URL is invalid.
    #[error("the upstream's URL is not valid")]
    Url(#[source] url::ParseError),
    /// The URL's scheme is neither `http` nor `https`.
    #[error("the upstream's URL has to start with http:// or https://")]
    Scheme,
    /// The URL has a user name or a password.
    #[error("the upstream's URL must not hold credentials; give an Authorization header instead")]
    Credentials,
    /// The transport sets this header itself.
    #[error("the header {0} is set by the transport")]
    Header(HeaderName),
}

/// An error of another crate.
pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a server's event stream could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The connection could not be established.
    #[error("no connection to the server")]
    Connect(#[source] BoxError),
    /// TLS failed: the server can't be trusted.
    #[error("no trusted connection to the server")]
    Tls(#[source] BoxError),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    /// Opening the stream took too long.
    #[error("{what} took longer than {} ms", after.as_millis())]
    TimedOut {
        /// The step that took too long.
        what: &'static str,
        /// The time limit.
        after: Duration,
    },
    /// The server refused the GET.
    #[error("the server answered the GET with status {}", status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// The server's `Retry-After`, if it gave one.
        retry_after: Option<Duration>,
    },
    /// The server redirects to another origin, without a target, or in a circle.
    #[error("the server redirects {0}")]
    Redirect(&'static str),
    /// The response is not an event stream.
    #[error("the server answered with {0} instead of a stream of events")]
    NotEvents(String),
    /// The stream is compressed, though that was not asked for.
    #[error("the server's stream of events is encoded as {0}, which was not asked for")]
    Encoded(String),
    /// The stream ended, or sent something else, before the `endpoint` event.
    #[error("the stream {0} before it said where to send messages")]
    NoEndpoint(&'static str),
    /// The URI in the `endpoint` event is invalid.
    #[error("the server's endpoint for messages is not a valid URL")]
    InvalidEndpoint(#[source] BoxError),
    /// The `endpoint` event names another origin, which would get the credentials.
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

    /// Whether the server could not be reached at all, or could not be trusted.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Tls(_))
            || matches!(self, Self::TimedOut { what, .. } if *what == CONNECTING)
    }

    /// The error for the calls that waited for the stream. None of them was sent.
    pub(super) fn to_call_error(&self) -> CallError {
        CallError::new(
            match self {
                Self::Status { status, retry_after } => {
                    Reason::Refused { status: status.as_u16(), retry_after: *retry_after, said: None }
                }
                error => Reason::Unavailable(ErrorText::private(with_causes(error))),
            },
            Outcome::NotSent,
        )
    }
}

/// A step in [`OpenError::TimedOut`].
pub(super) const CONNECTING: &str = "connecting";
/// A step in [`OpenError::TimedOut`].
pub(super) const ENDPOINT_EVENT: &str = "the stream's first event";

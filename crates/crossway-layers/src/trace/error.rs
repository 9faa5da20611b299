//! Errors of trace headers.

use crossway_service::BadTraceparent;

/// Why a client's trace is not used: a new trace begins then, "as if no `traceparent` had been received" (W3C Trace
/// Context, 4.3). Never shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoTrace {
    /// There is no trace.
    #[error("the client is in no trace")]
    Absent,
    /// The trace occurs twice, or is no text.
    #[error("the client's trace is not told in one text")]
    NotOneText,
    /// The trace is not valid.
    #[error("the client's trace can't be read")]
    Malformed(#[from] BadTraceparent),
}

//! Errors of trace headers.

use crossway_service::BadTraceparent;

/// Why a client's word about its trace is not taken: a trace begins then, "as if no `traceparent` had been received" (W3C Trace
/// Context, 4.3). Never shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoTrace {
    /// There is none.
    #[error("the client is in no trace")]
    Absent,
    /// It is there twice, or is no text.
    #[error("the client's trace is not told in one text")]
    NotOneText,
    /// It is none.
    #[error("the client's trace can't be read")]
    Malformed(#[from] BadTraceparent),
}

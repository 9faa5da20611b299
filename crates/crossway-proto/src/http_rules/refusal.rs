//! Refusals: HTTP status and JSON-RPC error of a rejected request.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::StatusCode;

use crate::{ErrorCode, ErrorObject};

/// Why a request is not served, with all that a server needs for its response.
///
/// Where no specification gives a JSON-RPC code, it is -32600 (invalid request): the codes from -32000 to -32019
/// that SDKs use there should not be used by new implementations (2026-07-28, basic/index, "Error Codes").
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON-RPC error code.
    pub code: ErrorCode,
    /// One sentence for people, without any value of the request.
    pub message: Cow<'static, str>,
    /// More, as JSON text.
    pub data: Option<Bytes>,
}

impl Refusal {
    /// A refusal without `data`.
    pub fn new(status: StatusCode, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), data: None }
    }

    /// Adds `data`.
    #[must_use]
    pub fn with_data(mut self, data: &serde_json::Value) -> Self {
        self.data = Some(Bytes::from(data.to_string()));
        self
    }

    /// The JSON-RPC error to put into the response's body.
    #[must_use]
    pub fn to_error(&self) -> ErrorObject {
        let mut error = ErrorObject::new(self.code, self.message.clone());
        error.data = self.data.clone();
        error
    }

    pub(super) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, message)
    }

    pub(super) fn forbidden(message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::INVALID_REQUEST, message)
    }

    /// "servers **MUST** return HTTP status `400 Bad Request` and **MUST** include a JSON-RPC error response using
    /// the following error code: `-32020`" (2026-07-28, basic/transports/streamable-http, "Server Validation").
    pub(super) fn header_mismatch(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::HEADER_MISMATCH, message)
    }
}

impl fmt::Debug for Refusal {
    /// Leaves out the data, which may repeat parts of the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_becomes_a_json_rpc_error_and_is_logged_without_its_data() {
        let refusal = Refusal::header_mismatch("no").with_data(&serde_json::json!({"requested": "secret"}));
        let error = refusal.to_error();
        assert_eq!((error.code, error.message.as_ref()), (ErrorCode::HEADER_MISMATCH, "no"));
        assert_eq!(error.data.unwrap(), r#"{"requested":"secret"}"#);
        assert!(!format!("{refusal:?} {refusal}").contains("secret"));
    }
}

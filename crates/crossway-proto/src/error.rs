//! Parse errors and JSON-RPC error codes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::edit::write_members;

/// Why some bytes are not a message.
///
/// [`code`](ParseError::code) is the JSON-RPC error code with which to refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The bytes are not UTF-8, as JSON-RPC messages must be.
    #[error("the message is not valid UTF-8")]
    NotUtf8,
    /// The bytes are not JSON.
    #[error("the message is not valid JSON: {what} at byte {at}")]
    NotJson {
        /// What was found to be wrong.
        what: &'static str,
        /// Where, as an offset from the start of the message.
        at: usize,
    },
    /// The message is longer than allowed.
    #[error("the message has more than {limit} bytes")]
    TooLong {
        /// The bound that it exceeds.
        limit: usize,
    },
    /// Arrays and objects are nested too deeply.
    #[error("the message is nested deeper than {limit} levels")]
    TooDeep {
        /// The bound that it exceeds.
        limit: usize,
    },
    /// The JSON is not a JSON-RPC message.
    #[error("the message is not a JSON-RPC 2.0 request, notification or response: {what}")]
    NotJsonRpc {
        /// What was found to be wrong.
        what: &'static str,
    },
    /// A member that decides where a message goes stands in it twice, so that two readers could differ.
    #[error("the member \"{member}\" occurs twice")]
    DuplicateMember {
        /// The member's name.
        member: &'static str,
    },
}

impl ParseError {
    /// The JSON-RPC error code for a refusal: -32700 for what is not JSON, -32600 for what is not JSON-RPC.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotUtf8 | Self::NotJson { .. } | Self::TooDeep { .. } => ErrorCode::PARSE_ERROR,
            Self::TooLong { .. } | Self::NotJsonRpc { .. } | Self::DuplicateMember { .. } => {
                ErrorCode::INVALID_REQUEST
            }
        }
    }
}

/// A JSON-RPC error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// Not JSON (JSON-RPC 2.0, section 5.1).
    pub const PARSE_ERROR: Self = Self(-32700);
    /// Not a valid request (JSON-RPC 2.0, section 5.1).
    pub const INVALID_REQUEST: Self = Self(-32600);
    /// No such method (JSON-RPC 2.0, section 5.1).
    pub const METHOD_NOT_FOUND: Self = Self(-32601);
    /// Bad parameters (JSON-RPC 2.0, section 5.1).
    pub const INVALID_PARAMS: Self = Self(-32602);
    /// A failure inside the server (JSON-RPC 2.0, section 5.1).
    pub const INTERNAL_ERROR: Self = Self(-32603);
    /// A mirrored header is missing or does not match (2026-07-28, basic/index, error codes).
    pub const HEADER_MISMATCH: Self = Self(-32020);
    /// The client lacks a capability that the request needs (2026-07-28, basic/index, error codes).
    pub const MISSING_CLIENT_CAPABILITY: Self = Self(-32021);
    /// The revision is not spoken here (2026-07-28, basic/index, error codes).
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(-32022);
    /// Crossway's own: the call was not sent to the upstream, and may be tried again. Outside JSON-RPC's
    /// reserved range, as 2026-07-28 asks of codes that it does not define.
    pub const NOT_SENT: Self = Self(-31001);
    /// Crossway's own: the call was sent, and what became of it is not known.
    pub const OUTCOME_UNKNOWN: Self = Self(-31002);
    /// Crossway's own: a bound was reached; `data` or `Retry-After` may say when to try again.
    pub const OVER_LIMIT: Self = Self(-31003);
}

/// A JSON-RPC error as it stands in a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ErrorObject {
    /// The code.
    pub code: ErrorCode,
    /// One sentence for people.
    pub message: std::borrow::Cow<'static, str>,
    /// More, as JSON text. It is written as it is, and left out if it is not one valid JSON value.
    pub data: Option<Bytes>,
}

/// Whether a failed call reached the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The upstream has not seen it.
    NotSent,
    /// It was sent, wholly or in part, and what became of it is not known.
    Unknown,
    /// The upstream answered it with an error.
    Answered,
}

impl Outcome {
    /// The outcome in words, as it stands in `data.outcome`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not sent",
            Self::Unknown => "sent, unknown",
            Self::Answered => "answered with an error",
        }
    }

    /// The outcome that [`as_str`](Self::as_str) says in these words; None for any others.
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        [Self::NotSent, Self::Unknown, Self::Answered].into_iter().find(|outcome| outcome.as_str() == words)
    }
}

impl ErrorObject {
    /// An error of Crossway's own that answers a call: its `data` has the call's `outcome`.
    pub fn of_call(
        code: ErrorCode,
        message: impl Into<std::borrow::Cow<'static, str>>,
        outcome: Outcome,
    ) -> Self {
        Self::new(code, message).with_member("outcome", format!("\"{}\"", outcome.as_str()).as_bytes())
    }

    /// An error without `data`.
    pub fn new(code: ErrorCode, message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Adds `data`. Where there is some, its members go behind those that are there.
    #[must_use]
    pub fn with_data(mut self, data: &serde_json::Value) -> Self {
        self.add(data.to_string().as_bytes());
        self
    }

    /// Adds a member to `data`. The value is JSON text, and stays as it is.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: &[u8]) -> Self {
        let mut object = BytesMut::from(&b"{"[..]);
        write_members(&mut object, &[(name, value)]);
        object.put_u8(b'}');
        self.add(&object);
        self
    }

    /// Adds an object's members behind those of `data`, or any value where there are none.
    fn add(&mut self, data: &[u8]) {
        let before =
            self.data.as_deref().and_then(|data| data.strip_suffix(b"}")).filter(|data| data.len() > 1);
        self.data = Some(match (before, data.strip_prefix(b"{")) {
            (Some(_), Some(b"}")) => return,
            (Some(before), Some(more)) => [before, b",", more].concat().into(),
            _ => Bytes::copy_from_slice(data),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_call_says_its_outcome_before_whatever_else_it_says() {
        let error = || ErrorObject::of_call(ErrorCode(-1), "m", Outcome::Unknown);
        let data = |error: ErrorObject| String::from_utf8(error.data.unwrap().to_vec()).unwrap();
        assert_eq!(data(error()), r#"{"outcome":"sent, unknown"}"#);
        assert_eq!(data(error().with_data(&serde_json::json!({}))), r#"{"outcome":"sent, unknown"}"#);
        let more = error().with_data(&serde_json::json!({ "a": 1 })).with_member("b\"", b"[1.50]");
        assert_eq!(data(more), r#"{"outcome":"sent, unknown","a":1,"b\"":[1.50]}"#);
        let bare = ErrorObject::new(ErrorCode(-1), "m");
        assert_eq!(data(bare.clone().with_data(&serde_json::json!({ "a": 1 }))), r#"{"a":1}"#);
        assert_eq!(data(bare.with_data(&serde_json::json!([]))), "[]");
    }
}

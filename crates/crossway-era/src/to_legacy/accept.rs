//! Checks the `_meta` that every modern request must have.

use crossway_proto::{ErrorCode, ErrorObject, Message, Outcome, Part, Revision};
use serde_json::json;

use crate::limits::VERSION_BYTES;
use crate::{capabilities, keys};

/// Checks the revision and the client in a request's `_meta` (2026-07-28, basic/index, `_meta`). Streamable HTTP checks these itself,
/// together with the headers; other transports have only the body.
///
/// # Errors
///
/// -32022 for a revision that is not supported, -32602 for members that are missing or too long.
pub fn check(request: &Message) -> Result<(), ErrorObject> {
    let spoken = crate::from_legacy::SPOKEN;
    let missing = |name| {
        ErrorObject::of_call(
            ErrorCode::INVALID_PARAMS,
            format!("the request's _meta needs {name}"),
            Outcome::NotSent,
        )
    };
    let version = request.meta_version().ok_or_else(|| missing(keys::PROTOCOL_VERSION))?;
    if Revision::parse(&version) != Some(spoken) {
        let requested: String = version.chars().take(VERSION_BYTES).collect();
        return Err(ErrorObject::of_call(
            ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
            "the protocol version is not supported",
            Outcome::NotSent,
        )
        .with_data(&json!({ "supported": [spoken.as_str()], "requested": requested })));
    }
    let capabilities = request.member(Part::Meta, keys::CLIENT_CAPABILITIES);
    if !capabilities.is_some_and(|json| json.starts_with(b"{")) {
        return Err(missing(keys::CLIENT_CAPABILITIES));
    }
    request.member(Part::Meta, keys::CLIENT_INFO).map_or(Ok(()), capabilities::check_info)
}

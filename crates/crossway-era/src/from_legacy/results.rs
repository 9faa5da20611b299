//! What a modern server answers, as a legacy client may see it.

use crossway_proto::{ErrorCode, Message, Part, RequestId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Asked;
use crate::keys;

/// Members of results that legacy revisions do not have.
const MODERN_MEMBERS: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

/// "Resource not found" of legacy revisions (2025-11-25, server/resources, Error Handling). Modern ones say -32602.
const RESOURCE_NOT_FOUND: i64 = -32002;

/// Takes off what legacy clients don't know. Nothing else changes.
pub(super) fn strip(result: &mut Message) {
    const MODERN_META: [&str; 2] = [keys::SERVER_INFO, keys::SUBSCRIPTION_ID];
    let mut kept = result.members(Part::Meta).filter(|(name, _)| !MODERN_META.contains(&name.as_ref()));
    let mut gone = MODERN_MEMBERS.to_vec();
    let has_meta = kept.next().is_some();
    drop(kept);
    if has_meta {
        let _ = result.edit(Part::Meta, &MODERN_META, &[]);
    } else if result.meta().is_some_and(|meta| meta.starts_with(b"{")) {
        gone.push("_meta");
    }
    // A result that is no object is left as it is: it is none of ours.
    let _ = result.edit(Part::Result, &gone, &[]);
}

#[derive(Deserialize)]
struct Error<'a> {
    code: i64,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// An error response, with codes that the client knows.
pub(super) fn error(response: Message, asked: &Asked) -> Message {
    let (Some(id), Some(error)) = (response.id(), response.error()) else { return response };
    let Ok(error) = serde_json::from_slice::<Error<'_>>(error) else { return response };
    let code = match ErrorCode(error.code) {
        ErrorCode::INVALID_PARAMS if asked.names_a_resource => RESOURCE_NOT_FOUND,
        // What we said for the client was not right, or not enough: it can't mend that.
        ErrorCode::HEADER_MISMATCH | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => {
            return foreign(&id, &error, ErrorCode::INTERNAL_ERROR).unwrap_or(response);
        }
        ErrorCode::MISSING_CLIENT_CAPABILITY => {
            return foreign(&id, &error, ErrorCode::INVALID_REQUEST).unwrap_or(response);
        }
        _ => return response,
    };
    with_code(&id, code, error.message.get(), error.data.map(RawValue::get)).unwrap_or(response)
}

/// An error under another code, with the server's own in its data.
fn foreign(id: &RequestId, error: &Error<'_>, code: ErrorCode) -> Option<Message> {
    let data = error.data.map_or("null", RawValue::get);
    let data = format!(r#"{{"code":{},"data":{data}}}"#, error.code);
    with_code(id, code.0, error.message.get(), Some(&data))
}

fn with_code(id: &RequestId, code: i64, message: &str, data: Option<&str>) -> Option<Message> {
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    error_with(id, format!(r#"{{"code":{code},"message":{message}{data}}}"#).as_bytes())
}

/// The error response to `id` whose error is this JSON text.
fn error_with(id: &RequestId, error: &[u8]) -> Option<Message> {
    let text = [br#"{"jsonrpc":"2.0","id":"#, id.as_json(), br#","error":"#, error, b"}"].concat();
    let limits = crossway_proto::Limits { message_bytes: usize::MAX, ..Default::default() };
    Message::parse(text.into(), &limits).ok()
}

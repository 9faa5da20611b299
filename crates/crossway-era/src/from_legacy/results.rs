//! Results of modern servers, adapted to legacy clients.

use crossway_proto::{ErrorCode, Layout, Message, Part, RequestId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Asked;
use crate::keys;

/// Members of results that legacy revisions lack.
const MODERN_MEMBERS: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

/// "Resource not found" of legacy revisions (2025-11-25, server/resources, Error Handling). Modern ones use -32602.
const RESOURCE_NOT_FOUND: i64 = -32002;

/// The facts about a result that decide how it is adapted. Results may be large, and are scanned once for all of them.
pub(super) struct Outline {
    pub(super) kind: ResultType,
    is_modern: bool,
    /// Whether it has structured content that is not an object.
    pub(super) has_other_structure: bool,
    layout: Layout,
}

/// The kind of a result (2026-07-28, basic/index, ResultType).
pub(super) enum ResultType {
    /// "clients MUST treat an absent `resultType` as `\"complete\"`".
    Complete,
    InputRequired,
    /// "A `resultType` of any value unrecognized by the client MUST be considered invalid."
    Unknown,
}

impl ResultType {
    fn read(json: &[u8]) -> Self {
        match json {
            br#""complete""# => Self::Complete,
            _ => match serde_json::from_slice::<String>(json).as_deref() {
                Ok("complete") => Self::Complete,
                Ok("input_required") => Self::InputRequired,
                _ => Self::Unknown,
            },
        }
    }
}

impl Outline {
    pub(super) fn of(result: &Message) -> Self {
        let layout = result.layout(Part::Result);
        let [kind, ttl, scope] = MODERN_MEMBERS.map(|name| result.member_at(&layout, name));
        let structure = result.member_at(&layout, "structuredContent");
        Self {
            is_modern: kind.or(ttl).or(scope).is_some(),
            kind: kind.map_or(ResultType::Complete, ResultType::read),
            has_other_structure: structure.is_some_and(|value| !value.starts_with(b"{")),
            layout,
        }
    }
}

/// Removes the members that legacy clients don't know. Nothing else changes.
pub(super) fn strip(result: &mut Message, outline: &Outline) {
    const MODERN_META: [&str; 2] = [keys::SERVER_INFO, keys::SUBSCRIPTION_ID];
    let [kind, ttl, scope] = MODERN_MEMBERS;
    let all = [kind, ttl, scope, "_meta"];
    let is_modern = |name: &str| MODERN_META.contains(&name);
    let (mut of_modern, mut of_others) = (0, 0);
    for (name, _) in result.members(Part::Meta) {
        *if is_modern(&name) { &mut of_modern } else { &mut of_others } += 1;
    }
    if of_others > 0 && of_modern > 0 {
        let _ = result.edit(Part::Meta, &MODERN_META, &[]);
    }
    let gone = match (outline.is_modern, of_others == 0 && of_modern > 0) {
        (true, true) => &all[..],
        (true, false) => &all[..3],
        (false, true) => &all[3..],
        (false, false) => return,
    };
    // A result that is not an object is left as it is.
    let _ = result.edit_at(&outline.layout, gone, &[]);
}

#[derive(Deserialize)]
struct Error<'a> {
    code: i64,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// An error response with a code that the client knows.
pub(super) fn error(response: Message, asked: &Asked) -> Message {
    let (Some(id), Some(error)) = (response.id(), response.error()) else { return response };
    let Ok(error) = serde_json::from_slice::<Error<'_>>(error) else { return response };
    let code = match ErrorCode(error.code) {
        ErrorCode::INVALID_PARAMS if asked.names_a_resource => RESOURCE_NOT_FOUND,
        // Our own statement for the client was wrong or incomplete, which the client can't fix.
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

/// An error under another code, with the server's code and data in its data.
fn foreign(id: &RequestId, error: &Error<'_>, code: ErrorCode) -> Option<Message> {
    let data = error.data.map_or("null", RawValue::get);
    let data = format!(r#"{{"code":{},"data":{data}}}"#, error.code);
    with_code(id, code.0, error.message.get(), Some(&data))
}

fn with_code(id: &RequestId, code: i64, message: &str, data: Option<&str>) -> Option<Message> {
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    Message::error_with(id, format!(r#"{{"code":{code},"message":{message}{data}}}"#).as_bytes()).ok()
}

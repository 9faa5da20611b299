//! What a legacy server answers, as a modern client may see it.

use bytes::Bytes;
use crossway_proto::{ErrorCode, Message, Part, RequestId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::keys;

/// Results that say how long they hold, and for whom (2026-07-28, server/utilities/caching).
const CACHEABLE: [&str; 5] =
    ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"];

/// Puts on what a modern result has to have. A translated result holds for nobody else and for no time: the server has
/// not said that it does.
pub(super) fn complete(result: &mut Message, method: &str, (info, meta): &(Bytes, Bytes)) {
    let kind: (&str, &[u8]) = ("resultType", br#""complete""#);
    let all: [(&str, &[u8]); 4] =
        [("_meta", &meta[..]), kind, ("ttlMs", b"0"), ("cacheScope", br#""private""#)];
    let put = if CACHEABLE.contains(&method) { &all[..] } else { &all[..2] };
    if result.meta().is_none() {
        let _ = result.edit(Part::Result, &[], put);
        return;
    }
    let put = &put[1..];
    // A result that is no object is left as it is: there is no place for anything.
    if result.edit(Part::Result, &[], put).is_ok() {
        let _ = result.edit(Part::Meta, &[], &[(keys::SERVER_INFO, &info[..])]);
    }
}

/// An error with a code that modern revisions may have.
///
/// -32002 and -32042 are retired, and codes from -32020 to -32099 are the specification's own (2026-07-28, basic/index,
/// Error Codes).
pub(super) fn error(response: Message) -> Message {
    #[derive(Deserialize)]
    struct Error<'a> {
        code: i64,
        #[serde(borrow)]
        message: &'a RawValue,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
    }
    let (Some(id), Some(text)) = (response.id(), response.error()) else { return response };
    let Ok(error) = serde_json::from_slice::<Error<'_>>(text) else { return response };
    let code = match error.code {
        // "Resource not found", whose data says which.
        -32002 => {
            let data = error.data.map(|data| format!(r#","data":{}"#, data.get())).unwrap_or_default();
            let code = ErrorCode::INVALID_PARAMS.0;
            let text = format!(r#"{{"code":{code},"message":{}{data}}}"#, error.message.get());
            return with_error(&id, &text).unwrap_or(response);
        }
        // One that sends its user nowhere, or comes where nobody can be asked.
        super::visits::REQUIRED => ErrorCode::INTERNAL_ERROR,
        // A legacy server knows none of the modern codes, whatever it means by them.
        -32099..=-32020 => ErrorCode::INTERNAL_ERROR,
        _ => return response,
    };
    let data = error.data.map_or("null", RawValue::get);
    let data = format!(r#"{{"code":{},"data":{data}}}"#, error.code);
    let text = format!(r#"{{"code":{},"message":{},"data":{data}}}"#, code.0, error.message.get());
    with_error(&id, &text).unwrap_or(response)
}

fn with_error(id: &RequestId, error: &str) -> Option<Message> {
    let text = [br#"{"jsonrpc":"2.0","id":"#, id.as_json(), br#","error":"#, error.as_bytes(), b"}"].concat();
    Message::parse(text.into(), &crossway_proto::Limits::default()).ok()
}

/// A level of log messages, the lowest first (RFC 5424, as MCP has them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

impl Level {
    /// Reads a level from its JSON text.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let name: String = serde_json::from_slice(json).ok()?;
        let place = LEVELS.iter().position(|level| *level == name)?;
        u8::try_from(place).ok().map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        LEVELS[usize::from(self.0)]
    }

    /// Whether a log message is of this level or a higher one.
    pub(super) fn admits(self, log: &Message) -> bool {
        log.member(Part::Params, "level").and_then(Self::parse).is_some_and(|level| level >= self)
    }
}

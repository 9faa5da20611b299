//! Detects which era a server on stdio speaks.
//!
//! 2026-07-28, basic/transports/stdio, Backward Compatibility: a client that speaks both eras "**SHOULD** probe with
//! `server/discover` before sending any other request". A discover result, or an error that only modern servers
//! give, means modern; "any other error", or no answer "within a reasonable timeout", means legacy.

use bytes::Bytes;
use crossway_proto::{Era, ErrorCode, Kind, Limits, Message, Revision, keys};
use crossway_service::{Call, CallError, Context, Link, Origin, Reply};
use serde::Deserialize;

/// Sends `server/discover`, to find out the era.
pub(super) fn discover(link: &Link) -> Reply {
    let params = serde_json::json!({
        "_meta": {
            keys::PROTOCOL_VERSION: Revision::LATEST.as_str(),
            keys::CLIENT_INFO: client_info(),
            keys::CLIENT_CAPABILITIES: {},
        }
    });
    ask(link, "server/discover", &params)
}

/// Sends `initialize`, like legacy clients.
pub(super) fn initialize(link: &Link) -> Reply {
    let params = serde_json::json!({
        "protocolVersion": Revision::LATEST_LEGACY.as_str(),
        "capabilities": {},
        "clientInfo": client_info(),
    });
    ask(link, "initialize", &params)
}

/// Waits for the response, skipping messages before it.
pub(super) async fn response(reply: &mut Reply) -> Result<Message, Option<CallError>> {
    loop {
        match reply.next().await {
            Some(Ok(message)) if message.is_response() => return Ok(message),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Some(error)),
            None => return Err(None),
        }
    }
}

/// Returns the era that an answer to [`discover`] shows.
pub(super) fn judge(answer: &Message) -> Era {
    let is_modern = match answer.kind() {
        Kind::Result => answer.result().is_some_and(is_discover_result),
        Kind::Error => answer.error().is_some_and(is_modern_error),
        Kind::Request | Kind::Notification => false,
    };
    if is_modern { Era::Modern } else { Era::Legacy }
}

/// Whether this is the result of a modern server. Some legacy servers answer unknown methods with an empty result, so the versions decide.
fn is_discover_result(result: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct DiscoverResult {
        supported_versions: Vec<String>,
    }
    let is_modern = |version: &String| !Revision::parse(version).is_some_and(Revision::is_legacy);
    serde_json::from_slice::<DiscoverResult>(result)
        .is_ok_and(|result| result.supported_versions.iter().any(is_modern))
}

/// Whether an error is one of those that this revision has introduced (2026-07-28, basic/index, Error Codes).
fn is_modern_error(error: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct ErrorMember {
        code: i64,
    }
    let modern = [
        ErrorCode::HEADER_MISMATCH,
        ErrorCode::MISSING_CLIENT_CAPABILITY,
        ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
    ];
    serde_json::from_slice::<ErrorMember>(error).is_ok_and(|error| modern.contains(&ErrorCode(error.code)))
}

fn client_info() -> serde_json::Value {
    serde_json::json!({ "name": "crossway", "version": env!("CARGO_PKG_VERSION") })
}

fn ask(link: &Link, method: &str, params: &serde_json::Value) -> Reply {
    let text = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    match Message::parse(Bytes::from(text.to_string()), &Limits::default()) {
        Ok(request) => link.call(Call::message(request, Context::new(Origin::unique(), None))),
        // Not reached: the text is a request. An ended reply decides nothing.
        Err(_) => Reply::accepted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn era(answer: &'static str) -> Era {
        judge(&Message::parse(Bytes::from(answer), &Limits::default()).unwrap())
    }

    #[test]
    fn a_discover_result_or_a_modern_error_is_modern() {
        for modern in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2025-11-25","2026-07-28"],"capabilities":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2027-01-01"]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"m","data":{"supported":["2027-01-01"]}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"m"}}"#,
        ] {
            assert_eq!(era(modern), Era::Modern, "{modern}");
        }
    }

    #[test]
    fn any_other_answer_is_legacy() {
        for legacy in [
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":0,"message":"not initialized"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2025-11-25"]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        ] {
            assert_eq!(era(legacy), Era::Legacy, "{legacy}");
        }
    }
}

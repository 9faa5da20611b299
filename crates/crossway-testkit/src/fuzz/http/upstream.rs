//! A test upstream whose behaviour is named by the request.

use crossway_proto::{Message, Revision};

use crate::Scripted;

/// An upstream in memory. It agrees to `initialize`, lists tools, one of which has mirrored arguments, and answers anything else with its
/// parameters, unless their `name` asks for another behavior: `silent`, `error`, `twice`, `chatty` or `stray`.
///
/// Connecting needs a tokio runtime.
#[must_use]
pub fn upstream() -> Scripted {
    Scripted::answering(answer)
}

fn answer(message: &Message) -> Vec<String> {
    let Some(id) = message.request_id() else { return Vec::new() };
    let result = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let notification =
        |method: &str, params: &str| format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
    let params = message.params().unwrap_or(b"null");
    let echo = result(&format!(r#"{{"echo":{}}}"#, String::from_utf8_lossy(params)));
    match message.name().as_deref() {
        Some("silent") => return Vec::new(),
        Some("error") => {
            return vec![format!(
                r#"{{"jsonrpc":"2.0","error":{{"code":-32601,"message":"no"}},"id":{id}}}"#
            )];
        }
        Some("twice") => return vec![echo.clone(), echo],
        Some("chatty") => {
            let progress = message.progress_token().map(|token| {
                notification(
                    "notifications/progress",
                    &format!(r#"{{"progressToken":{token},"progress":1}}"#),
                )
            });
            let log = notification("notifications/message", r#"{"level":"info","data":1}"#);
            let request = r#"{"jsonrpc":"2.0","id":"s","method":"roots/list"}"#.to_owned();
            return progress.into_iter().chain([log, request, echo]).collect();
        }
        Some("stray") => {
            return vec![
                r#"{"jsonrpc":"2.0","id":12345,"result":{}}"#.to_owned(),
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}"#.to_owned(),
                notification("notifications/tools/list_changed", "{}"),
            ];
        }
        _ => {}
    }
    match message.method().as_deref() {
        Some("initialize") => {
            let asked = message.initialize_version().and_then(|version| Revision::parse(&version));
            let version = asked.filter(|revision| revision.is_legacy()).unwrap_or(Revision::LATEST_LEGACY);
            vec![result(&format!(
                r#"{{"protocolVersion":"{version}","capabilities":{{}},"serverInfo":{{"name":"s","version":"0"}}}}"#
            ))]
        }
        Some("tools/list") => vec![result(
            r#"{"tools":[{"name":"mirrored","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}]}"#,
        )],
        Some("subscriptions/listen") => vec![notification(
            "notifications/subscriptions/acknowledged",
            &format!(r#"{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}"#),
        )],
        _ => vec![echo],
    }
}

//! What the examples share: a small MCP server.

use crossway::proto::{ErrorCode, ErrorObject, Message};
use crossway::service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};
use futures_util::stream::iter;

/// An MCP server that is an [`Upstream`] by itself: it answers `initialize`, `ping`, and one tool, `shout`, with progress before
/// the answer if that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Shouting;

impl Upstream for Shouting {
    fn connect(&self, _: Scope) -> Link {
        Link::new(*self)
    }
}

impl Connection for Shouting {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) if message.is_request() => {
                Reply::stream(iter(progress(&message).into_iter().chain(answer(&message)).map(Ok)))
            }
            Ask::Listen => Reply::silent(),
            _ => Reply::accepted(),
        }
    }
}

fn progress(request: &Message) -> Option<Message> {
    let token = request.progress_token()?;
    let params = format!(r#"{{"progressToken":{},"progress":1}}"#, String::from_utf8_lossy(token.as_json()));
    Message::notification_of("notifications/progress", Some(params.as_bytes())).ok()
}

fn answer(request: &Message) -> Option<Message> {
    let id = request.id()?;
    let result = match request.method()?.as_ref() {
        "initialize" => r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"shouting","version":"1"}}"#.to_owned(),
        "ping" => "{}".to_owned(),
        "tools/list" => r#"{"tools":[{"name":"shout","inputSchema":{"type":"object"}}]}"#.to_owned(),
        "tools/call" => {
            let shouted = String::from_utf8_lossy(request.params()?).to_uppercase().replace(['"', '\\'], "'");
            format!(r#"{{"content":[{{"type":"text","text":"{shouted}"}}]}}"#)
        }
        method => {
            let error = ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("no method {method}"));
            return Message::error_of(Some(&id), &error).ok();
        }
    };
    Message::result_of(&id, result.as_bytes()).ok()
}

//! What the examples share: a small MCP server.

use crossway::proto::{ErrorCode, ErrorObject, Message};
use crossway::service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};

/// An MCP server that is an [`Upstream`] by itself: it answers `initialize`, `ping`, and one tool, `shout`.
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
                answer(&message).map_or_else(Reply::accepted, Reply::once)
            }
            Ask::Listen => Reply::silent(),
            _ => Reply::accepted(),
        }
    }
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

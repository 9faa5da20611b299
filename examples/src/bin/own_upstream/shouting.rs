//! An MCP server that is an upstream by itself, with one tool: `shout`.

use crossway::proto::{ErrorCode, ErrorObject, Message};
use crossway::service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};
use serde_json::{Value, json};

/// An MCP server without state: each of its links can be another copy.
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
            Ask::Message(request) if request.is_request() => {
                let messages = progress(&request).into_iter().chain(answer(&request));
                Reply::stream(futures_util::stream::iter(messages.map(Ok)))
            }
            // Whoever listens hears nothing, for nothing changes.
            Ask::Listen => Reply::silent(),
            Ask::Message(_) => Reply::accepted(),
        }
    }
}

/// Progress comes before the answer, where the client wants any.
fn progress(request: &Message) -> Option<Message> {
    let token: Value = serde_json::from_slice(request.progress_token()?.as_json()).ok()?;
    let params = json!({ "progressToken": token, "progress": 1 }).to_string();
    Message::notification_of("notifications/progress", Some(params.as_bytes())).ok()
}

fn answer(request: &Message) -> Option<Message> {
    let id = request.id()?;
    let arguments: Value =
        serde_json::from_slice(request.arguments().ok().flatten().unwrap_or(b"{}")).ok()?;
    let fail = |code, why: &str| Some(Message::error_of(Some(&id), &ErrorObject::new(code, why.to_owned())));
    let result = match request.method()?.as_ref() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "shouting", "version": "1" },
        }),
        "ping" => json!({}),
        "tools/list" => json!({ "tools": [{ "name": "shout", "inputSchema": {
            "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"],
        } }] }),
        "tools/call" => match arguments["text"].as_str() {
            Some(text) => json!({ "content": [{ "type": "text", "text": text.to_uppercase() }] }),
            None => return fail(ErrorCode::INVALID_PARAMS, "shout what? There is no text"),
        },
        _ => return fail(ErrorCode::METHOD_NOT_FOUND, "this server has one tool, and nothing else"),
    };
    Message::result_of(&id, result.to_string().as_bytes()).ok()
}

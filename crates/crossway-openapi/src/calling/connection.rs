//! An MCP server of revision 2026-07-28 whose tools make HTTP requests.

use std::pin::Pin;
use std::sync::Arc;

use crossway_proto::{ErrorCode, ErrorObject, Message, Outcome, Part, RequestId, Revision, keys};
use crossway_service::{Ask, Call, CallError, Connection, Context, ErrorText, Reason, Reply};
use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::{once, pending, unfold};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::{ToolResult, limits, numbers};

/// The future of a tool call.
pub(crate) type Called = Pin<Box<dyn Future<Output = Result<ToolResult, CallError>> + Send>>;

/// A set of tools that can be listed and called.
pub(crate) trait ToolSet: Send + Sync + 'static {
    /// Describes the server and its tools as they are now.
    fn describe(&self) -> Description;

    /// Calls a tool; `None` if there is no such tool.
    fn call(&self, name: &str, arguments: Map<String, Value>, context: &Context) -> Option<Called>;

    /// A counter that changes whenever the tools do; `None` if they never change.
    fn changes(&self) -> Option<watch::Receiver<u64>> {
        None
    }
}

/// The description of a server and its tools.
pub(crate) struct Description {
    /// The server's name (`serverInfo`).
    pub(crate) name: String,
    /// The server's version.
    pub(crate) version: String,
    /// The server's instructions for clients.
    pub(crate) instructions: Option<String>,
    /// The tools' definitions as JSON text, in an order that does not change.
    pub(crate) tools: Arc<[Box<str>]>,
}

/// A connection to a set of tools. It is stateless: calls do not affect each other.
pub(crate) struct ToolSetConnection<T>(pub(crate) Arc<T>);

impl<T: ToolSet> Connection for ToolSetConnection<T> {
    fn call(&self, call: Call) -> Reply {
        let Call { ask, context } = call;
        let Ask::Message(message) = ask else { return Reply::silent() };
        let Some(id) = message.request_id() else { return Reply::accepted() };
        let method = message.method().unwrap_or_default();
        match &*method {
            "server/discover" => answer(&id, &self.discover()),
            "tools/list" => self.list(&id, message.member(Part::Params, "cursor")),
            "tools/call" => self.call_tool(id, &message, &context),
            "subscriptions/listen" => listen(id, self.changes_for(&message)),
            method => refuse(&id, ErrorCode::METHOD_NOT_FOUND, format!("there is no method {method:?}")),
        }
    }
}

impl<T: ToolSet> ToolSetConnection<T> {
    /// The changes to notify a client of, if it has asked for changes of tools.
    fn changes_for(&self, message: &Message) -> Option<watch::Receiver<u64>> {
        #[derive(Deserialize)]
        struct Filter {
            #[serde(rename = "toolsListChanged", default)]
            tools: bool,
        }
        let filter = message.member(Part::Params, "notifications")?;
        let filter: Filter = serde_json::from_slice(filter).ok()?;
        self.0.changes().filter(|_| filter.tools)
    }

    /// `server/discover` (2026-07-28, server/discover).
    fn discover(&self) -> Vec<u8> {
        let description = self.0.describe();
        let tools = if self.0.changes().is_some() { json!({ "listChanged": true }) } else { json!({}) };
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": [Revision::V2026_07_28.as_str()],
            "capabilities": { "tools": tools },
            "ttlMs": limits::LIST_HOLDS.as_millis() as u64,
            "cacheScope": "public",
            "_meta": { keys::SERVER_INFO: description.server_info() },
        });
        if let Some(instructions) = description.instructions {
            result["instructions"] = instructions.into();
        }
        result.to_string().into_bytes()
    }

    /// A page of tools. A cursor is its first index ("Servers should provide stable cursors"; 2026-07-28, server/utilities/pagination).
    fn list(&self, id: &RequestId, cursor: Option<&[u8]>) -> Reply {
        let cursor = cursor.filter(|cursor| *cursor != b"null");
        let description = self.0.describe();
        let all = &description.tools;
        let begin =
            cursor.map_or(Some(0), |cursor| serde_json::from_slice::<String>(cursor).ok()?.parse().ok());
        let Some(begin) = begin.filter(|begin| *begin <= all.len()) else {
            return refuse(id, ErrorCode::INVALID_PARAMS, "the cursor is none of this list".to_owned());
        };
        let end = all.len().min(begin + limits::PAGE_TOOLS);
        let page = &all[begin..end];
        let mut result = String::with_capacity(page.iter().map(|tool| tool.len() + 1).sum::<usize>() + 256);
        result.push_str(r#"{"resultType":"complete","tools":["#);
        for (at, tool) in page.iter().enumerate() {
            if at > 0 {
                result.push(',');
            }
            result.push_str(tool);
        }
        result.push(']');
        if end < all.len() {
            result.push_str(&format!(r#","nextCursor":"{end}""#));
        }
        let meta = json!({ keys::SERVER_INFO: description.server_info() });
        let ttl = limits::LIST_HOLDS.as_millis();
        result.push_str(&format!(r#","ttlMs":{ttl},"cacheScope":"public","_meta":{meta}}}"#));
        answer(id, result.as_bytes())
    }

    fn call_tool(&self, id: RequestId, message: &Message, context: &Context) -> Reply {
        // Routers write another name into a message: it is among the message's parts, but not in its raw parameters.
        let arguments = message.member(Part::Params, "arguments");
        let are_kept = arguments.is_none_or(numbers::are_kept);
        let arguments = arguments.map(serde_json::from_slice::<Map<_, _>>);
        let (Some(name), None | Some(Ok(_))) = (message.name(), &arguments) else {
            let what = "tools/call needs the name of a tool, and an object of arguments";
            return refuse(&id, ErrorCode::INVALID_PARAMS, what.to_owned());
        };
        if !are_kept {
            let what = "an argument has an integer of more than 64 bits, which can't be sent as it is";
            return answer(&id, ToolResult::error(what).as_json());
        }
        let arguments = arguments.and_then(Result::ok).unwrap_or_default();
        match self.0.call(&name, arguments, context) {
            // "Unknown tools" are protocol errors (2026-07-28, server/tools, Error Handling).
            None => refuse(&id, ErrorCode::INVALID_PARAMS, format!("there is no tool {name:?}")),
            Some(called) => Reply::pending(async move {
                match called.await {
                    Ok(result) => answer(&id, result.as_json()),
                    Err(error) => Reply::failed(error),
                }
            }),
        }
    }
}

impl Description {
    fn server_info(&self) -> Value {
        json!({ "name": self.name, "version": self.version })
    }
}

/// Notifies of changed tools, if the client has asked for that and the tools can change; else acknowledges no notifications (2026-07-28,
/// basic/utilities/subscriptions), and stays silent.
fn listen(id: RequestId, changes: Option<watch::Receiver<u64>>) -> Reply {
    let subscription = String::from_utf8_lossy(id.as_json()).into_owned();
    let notification = move |method: &str, rest: &str| {
        let meta = format!(r#""_meta":{{"{}":{subscription}}}"#, keys::SUBSCRIPTION_ID);
        Message::notification_of(method, Some(format!("{{{meta}{rest}}}").as_bytes())).ok()
    };
    let taken = if changes.is_some() {
        r#","notifications":{"toolsListChanged":true}"#
    } else {
        r#","notifications":{}"#
    };
    let Some(first) = notification("notifications/subscriptions/acknowledged", taken) else {
        return Reply::silent();
    };
    let changed = unfold(changes, move |changes| {
        let told = notification("notifications/tools/list_changed", "");
        async move {
            let (mut changes, told) = (changes?, told?);
            changes.changed().await.ok()?;
            Some((Ok(told), Some(changes)))
        }
    });
    Reply::stream(once(ready(Ok(first))).chain(changed).chain(pending()))
}

/// An API's answer is valid JSON at this point, and may still be no result that a message can have.
fn answer(id: &RequestId, result: &[u8]) -> Reply {
    match Message::result_of(id, result) {
        Ok(message) => Reply::once(message),
        Err(error) => {
            Reply::failed(CallError::answered(Reason::InvalidAnswer(ErrorText::private(error.to_string()))))
        }
    }
}

fn refuse(id: &RequestId, code: ErrorCode, what: String) -> Reply {
    let error = ErrorObject::of_call(code, what, Outcome::NotSent);
    Reply::once(Message::error_of(Some(id), &error))
}

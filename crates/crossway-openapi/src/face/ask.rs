//! Requests of the face to its upstream, as a modern client without capabilities (2026-07-28).

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use crossway_proto::{ErrorCode, Kind, Message, Part, RequestId, Revision, keys};
use crossway_service::{Call, CallError, Context, Extensions, Limits, Link, Origin, Outcome, Reason};
use futures_util::future::{Either, select};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::limits::{LIST_BYTES, LIST_PAGES};
use super::problem::Problem;

/// A link to the upstream, with the `_meta` of the requests on it.
pub(crate) struct Asker {
    link: Link,
    /// `_meta` of each request: the revision, and empty client capabilities (2026-07-28, basic/index): callers can't be asked anything.
    meta: String,
    next: AtomicU64,
    is_closed: watch::Sender<bool>,
}

impl Asker {
    pub(crate) fn new(link: Link) -> Self {
        let meta = json!({
            keys::PROTOCOL_VERSION: Revision::V2026_07_28.as_str(),
            keys::CLIENT_INFO: { "name": "crossway-openapi", "version": env!("CARGO_PKG_VERSION") },
            keys::CLIENT_CAPABILITIES: {},
        });
        Self { link, meta: meta.to_string(), next: AtomicU64::new(1), is_closed: watch::Sender::new(false) }
    }

    /// Fails the requests in flight, and closes the link. Ready when that is done, or has taken too long.
    pub(crate) async fn close(&self) {
        self.is_closed.send_replace(true);
        let _ = tokio::time::timeout(Limits::CLOSE, self.link.close()).await;
    }

    /// Returns all pages of the list of tools.
    ///
    /// # Errors
    ///
    /// The upstream's error, or 424 for a list without end.
    pub(crate) async fn tools(&self, extensions: &Extensions) -> Result<Vec<Message>, Problem> {
        let (mut pages, mut bytes, mut cursor) = (Vec::new(), 0, None::<String>);
        loop {
            let params = match &cursor {
                Some(cursor) => format!(r#"{{"cursor":{cursor},"_meta":{}}}"#, self.meta),
                None => format!(r#"{{"_meta":{}}}"#, self.meta),
            };
            let page = self.ask("tools/list", &params, extensions.clone()).await?;
            bytes += page.len();
            cursor = next_cursor(&page);
            pages.push(page);
            if cursor.is_none() {
                return Ok(pages);
            }
            if pages.len() >= LIST_PAGES || bytes > LIST_BYTES {
                let why = "the MCP server's list of tools has no end";
                return Err(Problem::new(StatusCode::FAILED_DEPENDENCY, why));
            }
        }
    }

    /// Returns the server's introduction (`server/discover`); empty if the server gives none.
    pub(crate) async fn introduction(&self, extensions: &Extensions) -> Introduction {
        let params = format!(r#"{{"_meta":{}}}"#, self.meta);
        match self.ask("server/discover", &params, extensions.clone()).await {
            Ok(said) => said.result().map(Introduction::read).unwrap_or_default(),
            Err(_) => Introduction::default(),
        }
    }

    /// Calls a tool. The arguments are JSON text, sent unchanged.
    ///
    /// # Errors
    ///
    /// Errors below the level of tool results.
    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: &Bytes,
        extensions: Extensions,
    ) -> Result<Message, Problem> {
        let unreadable = |_| Problem::new(StatusCode::BAD_REQUEST, "the body is not valid JSON");
        let name = serde_json::to_string(tool).unwrap_or_default();
        let arguments = std::str::from_utf8(arguments).map_err(unreadable)?;
        let params = format!(r#"{{"name":{name},"arguments":{arguments},"_meta":{}}}"#, self.meta);
        self.ask("tools/call", &params, extensions).await
    }

    async fn ask(&self, method: &str, params: &str, extensions: Extensions) -> Result<Message, Problem> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = RequestId::from(number);
        let request = Message::request_of(&id, method, Some(params.as_bytes()))
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        let mut context = Context::new(Origin::unique(), Some(Revision::V2026_07_28));
        context.extensions = extensions;
        let mut reply = self.link.call(Call::message(request, context));
        let mut closed = self.is_closed.subscribe();
        let mut closed = pin!(closed.wait_for(|is_closed| *is_closed));
        loop {
            let item = match select(pin!(reply.next()), closed.as_mut()).await {
                Either::Left((Some(item), _)) => item,
                Either::Left((None, _)) => break,
                Either::Right(_) => Err(CallError::unknown(Reason::Closing)),
            };
            let message = item.map_err(|error| Problem::failed(&error))?;
            match message.kind() {
                Kind::Result if message.is_edited_in(Part::Result) => return reread(&message),
                Kind::Result => return Ok(message),
                Kind::Error => return Err(answered(&reread(&message)?)),
                // Progress and log notifications are discarded.
                _ => {}
            }
        }
        let why = "the MCP server has ended the call without an answer";
        Err(Problem::new(StatusCode::FAILED_DEPENDENCY, why).with_outcome(Outcome::Unknown))
    }
}

fn reread(message: &Message) -> Result<Message, Problem> {
    let invalid = |_| Problem::new(StatusCode::FAILED_DEPENDENCY, "the MCP server's answer is not valid");
    message.reread().map_err(invalid)
}

fn next_cursor(page: &Message) -> Option<String> {
    let cursor = page.member(Part::Result, "nextCursor").filter(|cursor| cursor.starts_with(b"\""))?;
    String::from_utf8(cursor.to_vec()).ok()
}

/// A server's introduction to a caller (2026-07-28, server/discover).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) instructions: Option<String>,
    pub(crate) server: ServerInfo,
}

/// A server's name and version.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ServerInfo {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) version: Option<String>,
}

impl Introduction {
    /// Skips what can't be read.
    fn read(result: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        struct Discovered {
            #[serde(default)]
            instructions: Option<String>,
            #[serde(rename = "_meta", default)]
            meta: HashMap<String, Box<RawValue>>,
        }
        let said: Discovered = serde_json::from_slice(result).unwrap_or_default();
        let server = said.meta.get(keys::SERVER_INFO);
        let server = server.and_then(|server| serde_json::from_str(server.get()).ok());
        Self { instructions: said.instructions, server: server.unwrap_or_default() }
    }
}

/// Converts an error response into a problem.
///
/// | code | status |
/// |---|---|
/// | -32700, -32600: the server does not accept our request | 400 |
/// | -32601: the server has no tools | 404 |
/// | -32602, `Unknown tool`: no such tool, or this caller may not call it with these arguments | 404 |
/// | -32602 otherwise: invalid arguments, or no such tool (the caller knows which) | 422 |
/// | -31003: a bound of ours, or a quota | 429 with `Retry-After` |
/// | -32603, -32021, -31001, -31002 and all others | 424 |
///
/// Our own codes carry the outcome in their data; every other error is the server's answer.
fn answered(error: &Message) -> Problem {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
        #[serde(default)]
        message: String,
        #[serde(default)]
        data: Option<Box<RawValue>>,
    }
    #[derive(Deserialize)]
    struct Data {
        outcome: Option<String>,
        #[serde(rename = "retryAfterSeconds")]
        retry_after: Option<u64>,
    }
    let error: Option<Error> = error.error().and_then(|error| serde_json::from_slice(error).ok());
    let Some(Error { code, message, data }) = error else {
        return Problem::new(StatusCode::FAILED_DEPENDENCY, "the MCP server's answer is not valid");
    };
    // "Unknown tool: .." (2026-07-28, server/tools, Error Handling); the authorization layer denies a call in the same words.
    if code == ErrorCode::INVALID_PARAMS.0 && message.starts_with("Unknown tool") {
        return Problem::no_tool();
    }
    let status = match code {
        -32700 | -32600 => StatusCode::BAD_REQUEST,
        -32601 => StatusCode::NOT_FOUND,
        -32602 => StatusCode::UNPROCESSABLE_ENTITY,
        -31003 => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::FAILED_DEPENDENCY,
    };
    let told = data.as_ref().and_then(|data| serde_json::from_str::<Data>(data.get()).ok());
    let (outcome, after) = told.map_or((None, None), |data| (data.outcome, data.retry_after));
    let is_ours =
        [ErrorCode::NOT_SENT, ErrorCode::OUTCOME_UNKNOWN, ErrorCode::OVER_LIMIT].contains(&ErrorCode(code));
    let outcome = outcome.filter(|_| is_ours).and_then(|outcome| Outcome::parse(&outcome));
    let after = match status {
        StatusCode::TOO_MANY_REQUESTS => Some(after.unwrap_or(super::limits::RETRY_AFTER)),
        _ => after,
    };
    let outcome = outcome.unwrap_or(Outcome::Answered);
    Problem::answered(status, code, message, data).with_outcome(outcome).with_retry_after(after)
}

//! Webhooks as an `Upstream`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use crossway_service::{Context, Link, Scope, Upstream};
use http::header::{self, HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::answer::result;
use super::{WebhookTool, limits};
use crate::calling::{
    self, CallOptions, Called, Description, Outgoing, ToolResult, ToolSet, ToolSetConnection, USER_AGENT,
};

/// The chat that a call belongs to, in the call's extensions: the value of `{session}`.
///
/// The server takes it from the client's request, such as from Open WebUI's header `X-OpenWebUI-Chat-Id`. Clients choose it freely, and it
/// proves nothing: with several users, it must first be bound to the user, or anyone who names another user's chat gets what a workflow
/// remembers of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat(Arc<str>);

impl Chat {
    /// A chat with this name: visible ASCII, no longer than [`limits::CHAT_BYTES`].
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=limits::CHAT_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(name.into()))
    }

    /// The chat's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Webhooks as an MCP server of revision 2026-07-28. Clones share it.
#[derive(Clone)]
pub struct WebhookUpstream(Arc<Shared>);

struct Shared {
    name: String,
    tools: Arc<[WebhookTool]>,
    definitions: Arc<[Box<str>]>,
    by_name: HashMap<String, usize>,
    options: CallOptions,
}

impl WebhookUpstream {
    /// Webhooks as a server of this name. Of several with the same name only the first is a tool.
    #[must_use]
    pub fn new(name: impl Into<String>, tools: Arc<[WebhookTool]>, options: CallOptions) -> Self {
        let mut by_name = HashMap::new();
        let mut definitions: Vec<Box<str>> = Vec::new();
        for (at, tool) in tools.iter().enumerate() {
            if let Entry::Vacant(free) = by_name.entry(tool.name.clone()) {
                free.insert(at);
                definitions.push(tool.definition().into());
            }
        }
        let definitions = definitions.into();
        Self(Arc::new(Shared { name: name.into(), tools, definitions, by_name, options }))
    }
}

impl Upstream for WebhookUpstream {
    fn connect(&self, _: Scope) -> Link {
        Link::new(ToolSetConnection(Arc::clone(&self.0)))
    }
}

impl ToolSet for Shared {
    fn describe(&self) -> Description {
        Description {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: None,
            tools: Arc::clone(&self.definitions),
        }
    }

    fn call(&self, name: &str, arguments: Map<String, Value>, context: &Context) -> Option<Called> {
        let tool = self.tools.get(*self.by_name.get(name)?)?;
        let arguments = match tool.checked(arguments) {
            Ok(arguments) => arguments,
            Err(wrong) => return Some(Box::pin(std::future::ready(Ok(ToolResult::error(&wrong))))),
        };
        let session = match context.extensions.get::<Chat>() {
            Some(chat) => chat.0.to_string(),
            None => alone(),
        };
        let request = self.request(tool, &arguments, &session);
        let answer = self.options.send(request, limits::WEBHOOK_TIME, context);
        let output = tool.output.clone();
        Some(Box::pin(async move { result(&answer.await?, &output) }))
    }
}

impl Shared {
    fn request(&self, tool: &WebhookTool, arguments: &Map<String, Value>, session: &str) -> Outgoing {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.8"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        self.options.attached.put_headers(&mut headers);
        let body = tool.body.fill(arguments, session).to_string().into();
        let uri = self.options.attached.at(&tool.url);
        Outgoing { method: tool.method.clone(), uri, headers, body }
    }
}

/// A chat id for a call without a chat: unique, so that it shares no memory.
fn alone() -> String {
    format!("call-{:032x}", calling::random())
}

impl fmt::Debug for WebhookUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookUpstream").field("name", &self.0.name).finish_non_exhaustive()
    }
}

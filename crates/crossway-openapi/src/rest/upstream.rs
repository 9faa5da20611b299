//! An API as an MCP server at the seam.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossway_service::{Context, Link, Scope, Upstream};
use serde_json::{Map, Value};

use super::api::Api;
use super::request::{checked, request};
use crate::calling::{
    self, Attached, Called, HttpClient, ToolResult, ToolSet, Tools, is_success, limits, refusal_of, result_of,
};

/// An API as an MCP server of revision 2026-07-28: a tool an operation. Clones share it.
///
/// It knows nothing of those who call but what is [attached](RestOptions::attached) to each request: make one for each of them, of
/// the same [`Api`].
#[derive(Clone)]
pub struct RestUpstream(Arc<Shared>);

struct Shared {
    api: Api,
    options: RestOptions,
}

/// How an API is called.
#[derive(Debug, Clone)]
pub struct RestOptions {
    client: HttpClient,
    attached: Attached,
    time: Duration,
    answer_bytes: usize,
}

impl Default for RestOptions {
    fn default() -> Self {
        Self {
            client: HttpClient::default(),
            attached: Attached::default(),
            time: limits::CALL_TIME,
            answer_bytes: limits::ANSWER_BYTES,
        }
    }
}

impl RestOptions {
    /// The defaults of [`limits`](crate::limits).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes requests with this client, whose connections others may share.
    #[must_use]
    pub fn client(mut self, client: HttpClient) -> Self {
        self.client = client;
        self
    }

    /// What every request carries: keys and tokens.
    #[must_use]
    pub fn attached(mut self, attached: Attached) -> Self {
        self.attached = attached;
        self
    }

    /// How long an answer may take in all.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// How long an answer may be. Of a longer one nothing is given.
    #[must_use]
    pub fn answer_bytes(mut self, most: usize) -> Self {
        self.answer_bytes = most;
        self
    }
}

impl RestUpstream {
    /// An API that is called so.
    #[must_use]
    pub fn new(api: Api, options: RestOptions) -> Self {
        Self(Arc::new(Shared { api, options }))
    }
}

impl Upstream for RestUpstream {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Tools(Arc::clone(&self.0)))
    }
}

impl ToolSet for Shared {
    fn server(&self) -> (&str, &str) {
        let api = &self.api.0;
        (if api.title.is_empty() { "rest" } else { &api.title }, &api.version)
    }

    fn instructions(&self) -> Option<&str> {
        self.api.0.about.as_deref()
    }

    fn tools(&self) -> &[Box<str>] {
        &self.api.0.definitions
    }

    fn call(&self, name: &str, arguments: Map<String, Value>, context: &Context) -> Option<Called> {
        let api = &self.api.0;
        let operation = api.operations.get(*api.by_tool.get(name)?)?;
        let made = checked(operation, arguments)
            .and_then(|arguments| request(operation, &api.base, &self.options.attached, arguments));
        let request = match made {
            Ok(request) => request,
            Err(bad) => return Some(Box::pin(std::future::ready(Ok(ToolResult::error(&bad.to_string()))))),
        };
        let RestOptions { client, time, answer_bytes, .. } = &self.options;
        let (client, answer_bytes) = (client.clone(), *answer_bytes);
        let time = calling::left(*time, context.deadline);
        let is_structured = operation.is_structured;
        Some(Box::pin(async move {
            let answer = client.send(request, time, answer_bytes).await?;
            if is_success(answer.status) { result_of(&answer, is_structured) } else { refusal_of(&answer) }
        }))
    }
}

impl fmt::Debug for RestUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestUpstream").field("api", &self.0.api).finish_non_exhaustive()
    }
}

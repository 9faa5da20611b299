//! A REST API as an `Upstream`.

use std::fmt;
use std::sync::Arc;

use crossway_service::{Context, Link, Scope, Upstream};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::api::Api;
use super::current::CurrentApi;
use super::request::{checked, request};
use crate::calling::{
    CallOptions, Called, Description, ToolResult, ToolSet, ToolSetConnection, is_success, limits, refusal_of,
    result_of,
};

/// An API as an MCP server of revision 2026-07-28, with one tool for each operation. Clones share it.
///
/// The upstream distinguishes no callers: each request carries what is [attached](CallOptions::attached). Make one upstream for each
/// caller, of the same [`Api`].
#[derive(Clone)]
pub struct RestUpstream(Arc<Shared>);

struct Shared {
    api: Which,
    options: CallOptions,
}

enum Which {
    Fixed(Api),
    Current(CurrentApi),
}

impl RestUpstream {
    /// An upstream for this API.
    #[must_use]
    pub fn new(api: Api, options: CallOptions) -> Self {
        Self(Arc::new(Shared { api: Which::Fixed(api), options }))
    }

    /// An upstream for an API that can be replaced. Listening clients are notified when its tools change.
    #[must_use]
    pub fn current(api: CurrentApi, options: CallOptions) -> Self {
        Self(Arc::new(Shared { api: Which::Current(api), options }))
    }
}

impl Upstream for RestUpstream {
    fn connect(&self, _: Scope) -> Link {
        Link::new(ToolSetConnection(Arc::clone(&self.0)))
    }
}

impl Shared {
    fn now(&self) -> Api {
        match &self.api {
            Which::Fixed(api) => api.clone(),
            Which::Current(api) => api.now(),
        }
    }
}

impl ToolSet for Shared {
    fn describe(&self) -> Description {
        let Api(api) = self.now();
        Description {
            name: if api.title.is_empty() { "rest".to_owned() } else { api.title.clone() },
            version: api.version.clone(),
            instructions: api.about.clone(),
            tools: Arc::clone(&api.definitions),
        }
    }

    fn call(&self, name: &str, arguments: Map<String, Value>, context: &Context) -> Option<Called> {
        let Api(api) = self.now();
        let operation = api.operations.get(*api.by_tool.get(name)?)?;
        let made = checked(operation, arguments)
            .and_then(|arguments| request(operation, &api.base, &self.options.attached, arguments));
        let request = match made {
            Ok(request) => request,
            Err(bad) => return Some(Box::pin(std::future::ready(Ok(ToolResult::error(&bad.to_string()))))),
        };
        let is_structured = operation.is_structured;
        let answer = self.options.send(request, limits::CALL_TIME, context);
        Some(Box::pin(async move {
            let answer = answer.await?;
            if is_success(&answer) { result_of(&answer, is_structured) } else { refusal_of(&answer) }
        }))
    }

    fn changes(&self) -> Option<watch::Receiver<u64>> {
        match &self.api {
            Which::Fixed(_) => None,
            Which::Current(api) => Some(api.changes()),
        }
    }
}

impl fmt::Debug for RestUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestUpstream").field("api", &self.0.now()).finish_non_exhaustive()
    }
}

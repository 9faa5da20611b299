//! Which requests are safe to repeat.

use std::collections::HashMap;

use crossway_proto::Message;
use parking_lot::RwLock;
use serde::Deserialize;

use crate::limits::HINTED_TOOLS;

/// Decides which requests may be sent again though the upstream may have seen them.
///
/// Any function of a request implements it.
pub trait Repeatable: Send + Sync + 'static {
    /// Whether this request does no harm when it is sent twice.
    fn is_repeatable(&self, request: &Message) -> bool;

    /// Learns from the response to a `tools/list`: one page.
    fn learn(&self, tools: &Message) {
        let _ = tools;
    }
}

impl<F: Fn(&Message) -> bool + Send + Sync + 'static> Repeatable for F {
    fn is_repeatable(&self, request: &Message) -> bool {
        self(request)
    }
}

/// Repeats requests that the specification defines as reads: lists, `resources/read`, `prompts/get`, `completion/complete`,
/// `server/discover` and `ping`. Never a call of a tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadsOnly;

const READS: &[&str] = &[
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "server/discover",
    "ping",
];

impl Repeatable for ReadsOnly {
    fn is_repeatable(&self, request: &Message) -> bool {
        request.method().is_some_and(|method| READS.contains(&method.as_ref()))
    }
}

/// Repeats what [`ReadsOnly`] does, and calls of tools that their server marks with `readOnlyHint` or `idempotentHint`.
///
/// "Clients **MUST** consider tool annotations to be untrusted unless they come from trusted servers" (2025-11-25,
/// server/tools): use it for trusted servers only. The hints come from the lists that pass by
/// ([`learn`](Repeatable::learn)); a tool's newest hints count.
#[derive(Debug, Default)]
pub struct ToolHints {
    harmless: RwLock<HashMap<Box<str>, bool>>,
}

impl ToolHints {
    /// Creates it without any hints.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    tools: Vec<Tool<'a>>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    #[serde(default)]
    read_only_hint: Option<bool>,
    #[serde(default)]
    idempotent_hint: Option<bool>,
}

impl Repeatable for ToolHints {
    fn is_repeatable(&self, request: &Message) -> bool {
        if !request.is_method("tools/call") {
            return ReadsOnly.is_repeatable(request);
        }
        let harmless = self.harmless.read();
        request.name().and_then(|name| harmless.get(name.as_ref()).copied()).unwrap_or(false)
    }

    fn learn(&self, tools: &Message) {
        let Some(page) = tools.result().and_then(|result| serde_json::from_slice::<Page<'_>>(result).ok())
        else {
            return;
        };
        let mut harmless = self.harmless.write();
        for tool in page.tools {
            let is_harmless = tool.annotations.is_some_and(|hints| {
                hints.read_only_hint == Some(true) || hints.idempotent_hint == Some(true)
            });
            if let Some(known) = harmless.get_mut(tool.name.as_ref()) {
                *known = is_harmless;
            } else if is_harmless && harmless.len() < HINTED_TOOLS {
                harmless.insert(tool.name.into(), true);
            }
        }
    }
}

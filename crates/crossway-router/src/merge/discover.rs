//! `server/discover`, merged over all upstreams.

use crossway_era::keys;
use crossway_proto::{Message, RequestId, Revision};
use crossway_service::Context;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Router;

/// The capabilities of an upstream that a router passes on.
const PASSED_ON: [&str; 5] = ["tools", "prompts", "resources", "completions", "logging"];

/// The parts of an upstream's `server/discover` result that a router reads.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    capabilities: Map<String, Value>,
    instructions: Option<String>,
    #[serde(rename = "_meta", default)]
    meta: Map<String, Value>,
}

impl Router {
    /// The `server/discover` result of the only upstream that a client sees.
    pub(super) async fn introduced(
        &self,
        id: &RequestId,
        request: &Message,
        context: &Context,
    ) -> Option<Message> {
        let seen = self.seen(request, context);
        let (member, view) = seen.visible().next()?;
        let said = member.entry(view, &self.asker(request, context)).said().await?;
        let Said { mut capabilities, instructions, mut meta } = serde_json::from_slice(&said).ok()?;
        capabilities.retain(|name, value| PASSED_ON.contains(&name.as_str()) && !value.is_null());
        meta.retain(|name, _| name == keys::SERVER_INFO);
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": [Revision::V2026_07_28.as_str()],
            "capabilities": capabilities,
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": meta,
        });
        if let Some(instructions) = instructions.filter(|_| self.0.options.has_instructions) {
            result["instructions"] = instructions.into();
        }
        Message::result_of(id, result.to_string().as_bytes()).ok()
    }

    /// The router's own `server/discover` result. Its capabilities do not depend on the upstreams, which come and go.
    pub(super) fn discovered(&self, id: &RequestId, request: &Message, context: &Context) -> Option<Message> {
        let seen = self.seen(request, context);
        let names: Vec<&str> = seen.visible().map(|(member, _)| &*member.name).collect();
        let about_names = self.0.naming.instructions();
        let mut instructions = format!("Several MCP servers as one: {}. {about_names}", names.join(", "));
        instructions.truncate(instructions.trim_end().len());
        instructions.push_str(&self.joined(&seen, context));
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": [Revision::V2026_07_28.as_str()],
            "capabilities": {
                "tools": { "listChanged": true },
                "prompts": { "listChanged": true },
                "resources": { "subscribe": true, "listChanged": true },
                "completions": {},
                "logging": {},
            },
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {
                keys::SERVER_INFO: self.0.options.info(),
            },
        });
        // Nothing is known of a single upstream that does not introduce itself.
        if !self.0.options.is_alone {
            result["instructions"] = instructions.into();
        }
        Message::result_of(id, result.to_string().as_bytes()).ok()
    }
}

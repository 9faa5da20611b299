//! `server/discover` of many upstreams.

use crossway_era::keys;
use crossway_proto::{Message, RequestId, Revision};
use crossway_service::Context;
use serde_json::json;

use super::Router;
use crate::access::Whose;

impl Router {
    /// What a router can do does not depend on the upstreams that there are: they come and go.
    pub(super) fn discovered(&self, id: &RequestId, context: &Context) -> Option<Message> {
        let members = self.members();
        let names: Vec<&str> = members
            .all
            .iter()
            .map(|member| &*member.name)
            .filter(|name| self.access().lists_of(name, context) != Whose::Nobody)
            .collect();
        let result = json!({
            "resultType": "complete",
            "supportedVersions": [Revision::V2026_07_28.as_str()],
            "capabilities": {
                "tools": { "listChanged": true },
                "prompts": { "listChanged": true },
                "resources": { "subscribe": true, "listChanged": true },
                "completions": {},
                "logging": {},
            },
            "instructions": format!("Several MCP servers as one: {}. {}", names.join(", "), self.0.naming.instructions())
                .trim_end(),
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {
                keys::SERVER_INFO: { "name": self.0.options.name, "version": env!("CARGO_PKG_VERSION") },
            },
        });
        Message::result_of(id, result.to_string().as_bytes()).ok()
    }
}

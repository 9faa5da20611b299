//! The client features that a server may use.

use crossway_proto::{Message, Part};
use serde_json::Value;

use crate::capabilities::{self, Said};

/// The client features (sampling, elicitation, roots) that a server may use, reduced to what the specification knows. A legacy session
/// must be opened with them; clients with equal values can share one.
///
/// At most some dozens of distinct values exist, whatever clients declare.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ClientFeatures {
    /// JSON text, an object with its members in order.
    json: Box<str>,
}

impl ClientFeatures {
    /// Reads the features that the client of a modern request declares (2026-07-28, basic/index, `_meta`).
    #[must_use]
    pub fn of(request: &Message) -> Self {
        let json = request.client_capabilities().unwrap_or_default();
        // Most clients declare none.
        if json.len() <= 2 {
            return Self::default();
        }
        let Ok(said) = serde_json::from_slice::<Said<'_>>(json) else { return Self::default() };
        let asking = capabilities::asking(&said, true);
        if asking.is_empty() {
            return Self::default();
        }
        let json = capabilities::to_json(asking.iter().map(|(name, value)| (*name, &value[..])));
        Self { json: json.into() }
    }

    /// Whether the client declares no such feature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// The capabilities for `initialize`, as JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        if self.is_empty() { "{}" } else { &self.json }
    }

    /// Checks that a server request can be answered. The error is the capability that the client would have to declare.
    pub(super) fn check(&self, request: &Message) -> Result<(), Value> {
        let capabilities: Value = serde_json::from_str(self.as_json()).unwrap_or_default();
        let has = |name: &str| capabilities[name].is_object();
        match request.method().as_deref() {
            Some("roots/list") if has("roots") => Ok(()),
            Some("roots/list") => Err(serde_json::json!({ "roots": {} })),
            Some("sampling/createMessage") => {
                // "Servers MUST NOT send tool-enabled sampling requests to Clients that have not declared support for tool
                // use via the `sampling.tools` capability" (2026-07-28, client/sampling, Capabilities).
                let has_tools = capabilities["sampling"]["tools"].is_object();
                let needs = |name| request.member(Part::Params, name).is_some();
                match needs("tools") || needs("toolChoice") {
                    true if !has_tools => Err(serde_json::json!({ "sampling": { "tools": {} } })),
                    false if !has("sampling") => Err(serde_json::json!({ "sampling": {} })),
                    _ => Ok(()),
                }
            }
            Some("elicitation/create") => {
                let by_url = request.member(Part::Params, "mode") == Some(br#""url""#);
                let elicitation = &capabilities["elicitation"];
                let has_form = elicitation["form"].is_object() || elicitation["url"].is_null();
                match by_url {
                    true if elicitation["url"].is_object() => Ok(()),
                    true => Err(serde_json::json!({ "elicitation": { "url": {} } })),
                    false if has("elicitation") && has_form => Ok(()),
                    false => Err(serde_json::json!({ "elicitation": { "form": {} } })),
                }
            }
            _ => Err(Value::Null),
        }
    }
}

//! `initialize`, answered from `server/discover`.

use bytes::Bytes;
use crossway_proto::{Message, Part, Revision};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::keys;

/// What a modern server says of itself.
pub(super) struct Discovered {
    capabilities: Map<String, Value>,
    info: Box<RawValue>,
    instructions: Option<Box<RawValue>>,
}

impl Discovered {
    pub(super) fn read(answer: &Message) -> Result<Self, &'static str> {
        let raw = |json: &[u8]| serde_json::from_slice::<Box<RawValue>>(json).ok();
        let capabilities = answer.member(Part::Result, "capabilities");
        let capabilities = capabilities.and_then(|json| serde_json::from_slice(json).ok());
        let info = answer.member(Part::Meta, keys::SERVER_INFO).filter(|json| json.starts_with(b"{"));
        let unnamed: &[u8] = br#"{"name":"unnamed","version":"0"}"#;
        Ok(Self {
            capabilities: capabilities.ok_or("the server's discovery has no capabilities")?,
            // Legacy clients insist on one; modern servers need not have one.
            info: raw(info.unwrap_or(unnamed)).ok_or("the server's discovery can't be read")?,
            instructions: answer.member(Part::Result, "instructions").and_then(raw),
        })
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.contains_key(capability)
    }

    pub(super) fn has_subscriptions(&self) -> bool {
        self.capabilities.get("resources").is_some_and(|resources| resources["subscribe"] == true)
    }

    /// The result of `initialize`, as JSON text.
    pub(super) fn initialize_result(&self, revision: Revision) -> Vec<u8> {
        let mut capabilities = self.capabilities.clone();
        // Extensions are between modern sides, and so are tasks, which are another thing in 2025-11-25.
        for modern in ["extensions", "tasks"] {
            capabilities.remove(modern);
        }
        if revision < Revision::V2025_03_26 {
            capabilities.remove("completions");
        }
        let version = Value::from(revision.as_str());
        let mut result =
            format!(r#"{{"protocolVersion":{version},"capabilities":{}"#, Value::Object(capabilities));
        result.push_str(r#","serverInfo":"#);
        result.push_str(self.info.get());
        if let Some(instructions) = &self.instructions {
            result.push_str(r#","instructions":"#);
            result.push_str(instructions.get());
        }
        result.push('}');
        result.into_bytes()
    }
}

/// A client's capabilities as modern servers may know them: without tasks, which are another thing there.
pub(super) fn client_capabilities(json: &[u8]) -> Bytes {
    match serde_json::from_slice::<Map<String, Value>>(json) {
        Ok(mut capabilities) if capabilities.contains_key("tasks") => {
            capabilities.remove("tasks");
            Bytes::from(Value::Object(capabilities).to_string())
        }
        _ => Bytes::copy_from_slice(json),
    }
}

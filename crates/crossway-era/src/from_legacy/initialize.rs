//! Answers `initialize` from the server's `server/discover`.

use crossway_proto::{Message, Part, Revision};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::SPOKEN;
use crate::capabilities::without_null;
use crate::keys;

/// The capabilities with lists, and the member of a subscription's filter that asks for changes of each.
const LISTS: [(&str, &str); 3] =
    [("tools", "toolsListChanged"), ("prompts", "promptsListChanged"), ("resources", "resourcesListChanged")];

/// The part of a server's capabilities that concerns a session.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) has_logging: bool,
    pub(super) has_subscriptions: bool,
    /// Which of [`LISTS`] the server notifies changes of.
    changing: [bool; 3],
}

impl Offer {
    /// The lists whose changes the server notifies, as the filter of a subscription.
    pub(super) fn lists(&self) -> Map<String, Value> {
        let lists = LISTS.iter().zip(self.changing).filter(|(_, is_told)| *is_told);
        lists.map(|((_, filter), _)| ((*filter).to_owned(), Value::Bool(true))).collect()
    }
}

/// A modern server's answer to `server/discover`.
pub(super) struct Discovered {
    capabilities: Map<String, Value>,
    info: Box<RawValue>,
    instructions: Option<Box<RawValue>>,
}

impl Discovered {
    pub(super) fn read(answer: &Message) -> Result<Self, &'static str> {
        let versions = answer.member(Part::Result, "supportedVersions");
        let versions = versions.and_then(|json| serde_json::from_slice::<Vec<String>>(json).ok());
        if versions.is_some_and(|versions| !versions.iter().any(|version| version == SPOKEN.as_str())) {
            return Err("the server has no revision that is spoken here");
        }
        let raw = |json: &[u8]| serde_json::from_slice::<Box<RawValue>>(json).ok();
        let capabilities = answer.member(Part::Result, "capabilities");
        let capabilities = capabilities.and_then(|json| serde_json::from_slice(json).ok());
        let info = answer.member(Part::Meta, keys::SERVER_INFO).filter(|json| json.starts_with(b"{"));
        let unnamed: &[u8] = br#"{"name":"unnamed","version":"0"}"#;
        Ok(Self {
            capabilities: capabilities
                .map(without_null)
                .ok_or("the server's discovery has no capabilities")?,
            // Legacy clients require `serverInfo`; modern servers may omit it.
            info: raw(info.unwrap_or(unnamed)).ok_or("the server's discovery can't be read")?,
            instructions: answer.member(Part::Result, "instructions").and_then(raw),
        })
    }

    pub(super) fn offer(&self) -> Offer {
        let is_true = |kind: &str, member: &str| {
            self.capabilities.get(kind).is_some_and(|capability| capability[member] == true)
        };
        Offer {
            has_logging: self.capabilities.contains_key("logging"),
            has_subscriptions: is_true("resources", "subscribe"),
            changing: LISTS.map(|(kind, _)| is_true(kind, "listChanged")),
        }
    }

    /// The result of `initialize`, as JSON text.
    pub(super) fn initialize_result(&self, revision: Revision) -> Vec<u8> {
        let mut capabilities = self.capabilities.clone();
        // Extensions are for modern sides only, and so are tasks, which are something else in 2025-11-25.
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

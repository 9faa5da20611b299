//! The tools that a caller sees, as they were listed.

use std::collections::HashMap;
use std::sync::OnceLock;

use bytes::Bytes;
use crossway_proto::{Message, Part};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::arguments::{Checker, Checkers};

/// A list of tools, read once for all callers who are told the same.
pub(crate) struct Toolset {
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
    checkers: Checkers,
    /// The document, once it was asked for.
    pub(crate) document: OnceLock<Bytes>,
}

/// A tool (2026-07-28, server/tools, Tool).
#[derive(Deserialize)]
pub(crate) struct Tool {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(rename = "inputSchema", default)]
    pub(crate) input: Option<Box<RawValue>>,
    #[serde(rename = "outputSchema", default)]
    pub(crate) output: Option<Box<RawValue>>,
}

impl Toolset {
    /// Reads the pages of a list. What can't be read of it is left out; of two tools with one name the first counts.
    pub(crate) fn of(pages: &[Message]) -> Self {
        let mut tools: Vec<Tool> = Vec::new();
        let mut by_name = HashMap::new();
        for page in pages {
            let items = page.member(Part::Result, "tools").unwrap_or(b"[]");
            let items: Vec<&RawValue> = serde_json::from_slice(items).unwrap_or_default();
            for item in items {
                match serde_json::from_str::<Tool>(item.get()) {
                    Ok(tool) if !by_name.contains_key(&tool.name) => {
                        by_name.insert(tool.name.clone(), tools.len());
                        tools.push(tool);
                    }
                    Ok(tool) => tracing::debug!(tool = tool.name, "a tool is listed twice"),
                    Err(error) => tracing::debug!(%error, "a tool can't be read, and is left out"),
                }
            }
        }
        let checkers = Checkers::of(tools.iter().map(|tool| tool.name.as_str()));
        Self { tools, by_name, checkers, document: OnceLock::new() }
    }

    pub(crate) fn tools(&self) -> &[Tool] {
        &self.tools
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).and_then(|index| self.tools.get(*index))
    }

    /// What holds arguments against a tool's schema, if that can be done.
    pub(crate) fn checker(&self, tool: &Tool) -> Option<&Checker> {
        self.checkers.get(&tool.name, tool.input.as_deref()?)
    }
}

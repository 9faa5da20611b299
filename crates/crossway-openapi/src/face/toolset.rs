//! A caller's tools, as they were listed.

use std::collections::HashMap;
use std::sync::OnceLock;

use crossway_proto::{Message, Part};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::form::Form;
use super::tree::Tree;
use crate::checks::Checker;
use crate::checks::limits::SCHEMA_BYTES;

/// A list of tools, read once for all callers with the same list.
pub(crate) struct Toolset {
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
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
    input: Option<Box<RawValue>>,
    #[serde(rename = "outputSchema", default)]
    output: Option<Box<RawValue>>,
    #[serde(skip)]
    checker: OnceLock<Option<Checker>>,
    #[serde(skip)]
    form: OnceLock<Form>,
}

impl Toolset {
    /// Reads the pages of a list. Skips tools that can't be read; of several tools with one name the first counts.
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
        Self { tools, by_name }
    }

    pub(crate) fn tools(&self) -> &[Tool] {
        &self.tools
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).and_then(|index| self.tools.get(*index))
    }
}

impl Tool {
    /// Checks arguments against the tool's schema; `None` if the schema can't be used. Made on first use.
    pub(crate) fn checker(&self) -> Option<&Checker> {
        let schema = self.input.as_deref()?;
        self.checker.get_or_init(|| Checker::of_server(&self.name, schema)).as_ref()
    }

    /// The schema of the tool's arguments.
    pub(crate) fn input(&self) -> Option<Tree> {
        read(self.input.as_deref())
    }

    /// The schema of the tool's structured content.
    pub(crate) fn output(&self) -> Option<Tree> {
        read(self.output.as_deref())
    }

    /// Which part of the tool's results is the answer. Determined on first use.
    pub(crate) fn form(&self) -> Form {
        *self.form.get_or_init(|| Form::of_schema(&self.name, self.output().as_ref()))
    }
}

/// Reads a schema, if it is present, valid and not too long.
fn read(schema: Option<&RawValue>) -> Option<Tree> {
    let schema = schema?.get();
    (schema.len() <= SCHEMA_BYTES).then(|| serde_json::from_str(schema).ok()).flatten()
}

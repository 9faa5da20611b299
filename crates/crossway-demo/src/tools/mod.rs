//! The table of tools, for listing and calling them.

mod changes;
mod content;
mod elicitation;
mod friendly;
mod headers;
mod rounds;
mod signals;

use std::{future::Future, pin::Pin, sync::LazyLock};

use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject, Tool, ToolAnnotations,
};
use serde_json::{Value, json};

use crate::{stop::Stop, turn::Turn};

/// The return value of a tool's function.
type Outcome = Result<CallToolResult, Stop>;
type Running<'t> = Pin<Box<dyn Future<Output = Outcome> + Send + 't>>;

/// A tool: its description in the list, and its function.
struct Entry {
    name: &'static str,
    about: &'static str,
    input: fn() -> Value,
    /// Whether it changes the server's state.
    changes: bool,
    run: for<'t> fn(&'t Turn<'t>) -> Running<'t>,
}

impl Entry {
    fn tool(&self) -> Tool {
        let input = match (self.input)() {
            Value::Object(schema) => schema,
            _ => JsonObject::new(),
        };
        let annotations =
            ToolAnnotations::new().read_only(!self.changes).destructive(false).open_world(false);
        Tool::new(self.name, self.about, input).with_annotations(annotations)
    }
}

/// All tools. `test_simple_text` comes first: people who try a server call its first tool, without arguments.
fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        content::ENTRIES,
        friendly::ENTRIES,
        signals::ENTRIES,
        elicitation::ENTRIES,
        headers::ENTRIES,
        rounds::ENTRIES,
        changes::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| entries().map(Entry::tool).collect());

/// All tools, as in `tools/list` after this number of changes.
pub(crate) fn list(changes: u64) -> Vec<Tool> {
    let mut tools = TOOLS.clone();
    if changes > 0 {
        for tool in tools.iter_mut().filter(|tool| tool.name == changes::TOOL_CHANGE) {
            let about = tool.description.take().unwrap_or_default();
            tool.description = Some(format!("{about} Changes: {changes}.").into());
        }
    }
    tools
}

/// Finds a tool by its name.
pub(crate) fn find(name: &str) -> Option<Tool> {
    TOOLS.iter().find(|tool| tool.name == name).cloned()
}

/// Calls a tool.
pub(crate) async fn call(turn: &Turn<'_>) -> Result<CallToolResponse, ErrorData> {
    let unknown = || ErrorData::invalid_params(format!("unknown tool: {}", turn.name), None);
    let entry = entries().find(|entry| entry.name == turn.name).ok_or_else(unknown)?;
    Stop::of_tool((entry.run)(turn).await)
}

/// The schema of a tool without arguments.
fn nothing() -> Value {
    json!({"type": "object", "properties": {}, "additionalProperties": false})
}

/// A result of one text.
fn said(text: impl Into<String>) -> Outcome {
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_tool_has_a_name_of_its_own_and_an_object_for_arguments() {
        let tools = list(0);
        let names: HashSet<_> = tools.iter().map(|tool| tool.name.clone()).collect();
        assert_eq!(names.len(), tools.len());
        for tool in &tools {
            assert!(
                tool.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                "{}",
                tool.name
            );
            assert_eq!(tool.input_schema.get("type"), Some(&json!("object")), "{}", tool.name);
            assert!(tool.description.as_ref().is_some_and(|about| !about.is_empty()), "{}", tool.name);
        }
    }

    #[test]
    fn a_list_that_has_changed_is_another_one() {
        let lists = [list(0), list(1), list(2)].map(|list| serde_json::to_value(list).unwrap());
        assert!(lists[0] != lists[1] && lists[1] != lists[2]);
    }

    #[test]
    fn the_first_tool_needs_no_arguments() {
        assert_eq!(list(0)[0].name, "test_simple_text");
    }
}

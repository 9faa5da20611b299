//! A tool whose argument a modern HTTP client mirrors in a header.

use serde_json::json;

use super::{Entry, said};

pub(super) const ENTRIES: &[Entry] = &[Entry {
    name: "test_custom_header",
    about: "Says back a value that also has to stand in the header Mcp-Param-Value (2026-07-28, Streamable HTTP).",
    input: || {
        json!({
            "type": "object",
            "properties": {"value": {"type": "string", "description": "Any text", "x-mcp-header": "Value"}},
            "required": ["value"]
        })
    },
    changes: false,
    run: |turn| Box::pin(async { said(format!("The value was: {}", turn.text("value")?)) }),
}];

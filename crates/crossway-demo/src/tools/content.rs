//! Tools that return each kind of content, and one that fails.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Value, json};

use super::{Entry, Outcome, nothing, said};
use crate::{
    media::{PNG, PNG_TYPE, WAV, WAV_TYPE},
    resources,
    stop::Stop,
    turn::Turn,
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "test_simple_text",
        about: "Returns one text.",
        input: nothing,
        changes: false,
        run: |_| Box::pin(async { said("This is a simple text response for testing.") }),
    },
    Entry {
        name: "test_image_content",
        about: "Returns one picture, a PNG.",
        input: nothing,
        changes: false,
        run: |_| Box::pin(async { all(vec![ContentBlock::image(PNG, PNG_TYPE)]) }),
    },
    Entry {
        name: "test_audio_content",
        about: "Returns one sound, a WAV.",
        input: nothing,
        changes: false,
        run: |_| Box::pin(async { all(vec![ContentBlock::audio(WAV, WAV_TYPE)]) }),
    },
    Entry {
        name: "test_embedded_resource",
        about: "Returns one resource, contents and all.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(async { all(vec![embedded(turn, resources::EMBEDDED)?]) }),
    },
    Entry {
        name: "test_multiple_content_types",
        about: "Returns a text, a picture and a resource at once.",
        input: nothing,
        changes: false,
        run: |turn| Box::pin(mixed(turn)),
    },
    Entry {
        name: "test_error_handling",
        about: "Always fails, the way a tool fails: by a result that says so.",
        input: nothing,
        changes: false,
        run: |_| {
            Box::pin(async {
                Err(Stop::Failed("This tool intentionally returns an error for testing".to_owned()))
            })
        },
    },
    Entry {
        name: "json_schema_2020_12_tool",
        about: "Takes a contact, by a schema that uses much of JSON Schema 2020-12, and returns what it was given.",
        input: contact,
        changes: false,
        run: |turn| Box::pin(async { said(Value::Object(turn.arguments.clone()).to_string()) }),
    },
];

async fn mixed(turn: &Turn<'_>) -> Outcome {
    all(vec![
        ContentBlock::text("Multiple content types test:"),
        ContentBlock::image(PNG, PNG_TYPE),
        embedded(turn, resources::MIXED)?,
    ])
}

fn all(content: Vec<ContentBlock>) -> Outcome {
    Ok(CallToolResult::success(content))
}

/// A resource of the server's own: a client that reads its URI gets the same.
fn embedded(turn: &Turn<'_>, uri: &str) -> Result<ContentBlock, Stop> {
    let contents: ResourceContents = resources::contents(turn.demo, uri)?;
    Ok(ContentBlock::resource(contents))
}

fn contact() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}}
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"}
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false
    })
}

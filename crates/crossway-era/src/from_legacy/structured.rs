//! Structured content: any JSON value since 2026-07-28 (SEP-2106), an object before.

use crossway_proto::{Message, Part};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::members::{Members, elements};

/// Removes structured content that is not an object from a tool's result. If the result has no other content, the structure's text becomes
/// its content, as servers should have done themselves (2025-11-25, server/tools, Structured Content).
pub(super) fn to_text(result: &mut Message) {
    let Some(structured) = result.member(Part::Result, "structuredContent") else { return };
    let text = String::from_utf8_lossy(structured).into_owned();
    let content = result.member(Part::Result, "content").unwrap_or(b"[]");
    let says_nothing = content.iter().all(|byte| matches!(byte, b'[' | b']' | b' ' | b'\t' | b'\r' | b'\n'));
    let block = serde_json::json!([{ "type": "text", "text": text }]).to_string();
    let put: &[(&str, &[u8])] = if says_nothing { &[("content", block.as_bytes())] } else { &[] };
    let _ = result.edit(Part::Result, &["structuredContent"], put);
}

/// Removes output schemas that don't describe an object from a list of tools: clients that validate the list would reject all of it.
pub(super) fn only_object_schemas(result: &mut Message) {
    if !result.result().is_some_and(has_other_schemas) {
        return;
    }
    let tools = result.member(Part::Result, "tools").and_then(|json| std::str::from_utf8(json).ok());
    let Some(tools) = tools.and_then(elements) else { return };
    let mut changed = false;
    let tools: Vec<String> = tools
        .into_iter()
        .map(|tool| match Members::read(tool) {
            Some(members) if !members.value("outputSchema").is_none_or(is_of_an_object) => {
                changed = true;
                members.with(|name, _| (name == "outputSchema").then(String::new))
            }
            _ => tool.to_owned(),
        })
        .collect();
    if changed {
        let tools = format!("[{}]", tools.join(","));
        let _ = result.edit(Part::Result, &[], &[("tools", tools.as_bytes())]);
    }
}

/// Whether any output schema might describe something other than an object. Looks at the schemas alone: lists are long.
fn has_other_schemas(list: &[u8]) -> bool {
    const NAME: &[u8] = br#""outputSchema""#;
    memchr::memmem::find_iter(list, NAME).any(|at| {
        let rest = list[at + NAME.len()..].trim_ascii_start();
        let Some(rest) = rest.strip_prefix(b":") else { return false };
        let schema = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>().next();
        !schema.and_then(Result::ok).is_some_and(|schema| is_of_an_object(schema.get()))
    })
}

fn is_of_an_object(schema: &str) -> bool {
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<&'a RawValue>,
    }
    serde_json::from_str::<Schema<'_>>(schema)
        .is_ok_and(|schema| schema.kind.is_some_and(|kind| kind.get() == r#""object""#))
}

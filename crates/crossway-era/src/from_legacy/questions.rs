//! Server requests, adapted to the client's revision.

use std::borrow::Cow;

use crossway_proto::Revision;
use serde::Deserialize;

use crate::content;
use crate::members::{Members, elements};

/// Rewrites the params of a server request for a revision; unchanged if it has everything. `None` if the revision has no equivalent.
pub(super) fn in_revision<'a>(revision: Revision, method: &str, params: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if revision >= Revision::V2025_11_25 {
        return Some(Cow::Borrowed(params));
    }
    let params = std::str::from_utf8(params).ok()?;
    let changed = match method {
        "elicitation/create" => form(params)?,
        "sampling/createMessage" => sampling(params, revision)?,
        _ => None,
    };
    Some(changed.map_or(Cow::Borrowed(params.as_bytes()), |changed| Cow::Owned(changed.into_bytes())))
}

/// A form without the features of 2025-11-25 (SEP-1330): choices with titles become `enum` and `enumNames`. Choosing several has no
/// equivalent. Returns `Some(None)` if nothing has to change.
fn form(params: &str) -> Option<Option<String>> {
    let outer = Members::read(params)?;
    let Some(schema) = outer.value("requestedSchema").and_then(Members::read) else { return Some(None) };
    let Some(properties) = schema.value("properties").and_then(Members::read) else { return Some(None) };
    let mut fields = Vec::with_capacity(properties.0.len());
    for (_, field) in &properties.0 {
        fields.push(choice(field.get())?);
    }
    if fields.iter().all(Option::is_none) {
        return Some(None);
    }
    let mut fields = fields.into_iter();
    let mut text = Vec::new();
    for (name, field) in &properties.0 {
        let field = fields.next().flatten().unwrap_or_else(|| field.get().to_owned());
        text.push(format!("{}:{field}", serde_json::Value::from(name.as_str())));
    }
    let properties = format!("{{{}}}", text.join(","));
    let schema = schema.with(|name, _| (name == "properties").then(|| properties.clone()));
    Some(Some(outer.with(|name, _| (name == "requestedSchema").then(|| schema.clone()))))
}

/// One field of a form; `None` if it has no equivalent, `Some(None)` if it can stay.
fn choice(field: &str) -> Option<Option<String>> {
    #[derive(Deserialize)]
    struct Choice {
        #[serde(rename = "const")]
        value: String,
        title: String,
    }
    let Some(members) = Members::read(field) else { return Some(None) };
    if members.value("type") == Some(r#""array""#) {
        return None;
    }
    let choices = members.value("oneOf").and_then(|json| serde_json::from_str::<Vec<Choice>>(json).ok());
    let Some(choices) = choices else { return Some(None) };
    let (values, titles): (Vec<String>, Vec<String>) =
        choices.into_iter().map(|choice| (choice.value, choice.title)).unzip();
    let without = members.with(|name, _| (name == "oneOf").then(String::new));
    let named = format!(r#""enum":{},"enumNames":{}"#, json(&values), json(&titles));
    let comma = if without == "{}" { "" } else { "," };
    Some(Some(format!("{}{comma}{named}}}", without.strip_suffix('}').unwrap_or(&without))))
}

fn json(texts: &[String]) -> serde_json::Value {
    texts.iter().map(String::as_str).collect()
}

/// Sampling messages with one block of content each, of a type that the revision has. Tool blocks have no equivalent. Returns
/// `Some(None)` if nothing has to change.
fn sampling(params: &str, revision: Revision) -> Option<Option<String>> {
    let outer = Members::read(params)?;
    let Some(messages) = outer.value("messages").and_then(elements) else { return Some(None) };
    let mut said = Vec::with_capacity(messages.len());
    let mut changed = false;
    for message in messages {
        let members = Members::read(message)?;
        let content = members.value("content").unwrap_or_default();
        let several = elements(content);
        changed |= several.is_some();
        for block in several.unwrap_or_else(|| vec![content]) {
            if Members::read(block).is_some_and(|block| {
                matches!(block.value("type"), Some(r#""tool_use""# | r#""tool_result""#))
            }) {
                return None;
            }
            let replaced = content::replacement(block, revision);
            changed |= replaced.is_some();
            let block = replaced.unwrap_or_else(|| block.to_owned());
            said.push(members.with(|name, _| (name == "content").then(|| block.clone())));
        }
    }
    let messages = format!("[{}]", said.join(","));
    Some(changed.then(|| outer.with(|name, _| (name == "messages").then(|| messages.clone()))))
}

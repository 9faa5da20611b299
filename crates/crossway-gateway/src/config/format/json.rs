//! JSON, by `serde_json`: its raw values borrow from the text, which tells where they stand.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::problem::Problem;
use super::super::tree::{Entry, Node, Value};
use super::{Budget, Fault, add, empty};
use crate::servers::Entries;

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    if text.trim().is_empty() {
        return Ok(empty());
    }
    let raw: &RawValue = part(text, text)?;
    node(text, raw.get(), 0, &mut Budget::default())
}

fn node(whole: &str, text: &str, depth: usize, budget: &mut Budget) -> Result<Node, Fault> {
    let at = offset(whole, text);
    budget.take(at, depth)?;
    let value = match text.as_bytes().first() {
        Some(b'{') => {
            let members: Entries<'_, &RawValue> = part(whole, text)?;
            let (mut entries, mut seen) = (Vec::new(), HashMap::new());
            for (key, raw) in members.0 {
                let value = node(whole, raw.get(), depth + 1, budget)?;
                let (key, key_at) = (part(whole, key.get())?, offset(whole, key.get()));
                add(&mut entries, &mut seen, Entry { key, key_at, value })?;
            }
            Value::Map(entries)
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = part(whole, text)?;
            let nodes = elements.into_iter().map(|raw| node(whole, raw.get(), depth + 1, budget));
            Value::List(nodes.collect::<Result<_, _>>()?)
        }
        Some(b'"') => return Ok(Node::text(at, part(whole, text)?)),
        Some(b't' | b'f') => Value::Bool(part(whole, text)?),
        Some(b'n') => Value::Null,
        _ => match text.parse::<i128>() {
            Ok(number) => Value::Whole(number),
            Err(_) => Value::Real(part(whole, text)?),
        },
    };
    Ok(Node { at, value })
}

/// Reads a part of a text, with errors that tell their place in the whole.
fn part<'a, T: Deserialize<'a>>(whole: &str, text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| {
        let start =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        let at = offset(whole, text) + start + error.column().saturating_sub(1);
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        (at, Problem::Syntax { format: "JSON", message: message.to_owned() }.into())
    })
}

fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

//! JSON, by `serde_json`: its raw values borrow from the text, which tells where they stand.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::problem::Problem;
use super::super::tree::{Entry, Node, Value};
use super::{Budget, Fault, add, empty};

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
            let members: Members<'_> = part(whole, text)?;
            let (mut entries, mut seen) = (Vec::new(), HashMap::new());
            for (key, raw) in members.0 {
                let value = node(whole, raw.get(), depth + 1, budget)?;
                let key_at = match key.0 {
                    // The quotation mark stands before it.
                    std::borrow::Cow::Borrowed(key) => offset(whole, key).saturating_sub(1),
                    std::borrow::Cow::Owned(_) => value.at,
                };
                add(&mut entries, &mut seen, Entry { key: key.0.into_owned(), key_at, value })?;
            }
            Value::Map(entries)
        }
        Some(b'[') => {
            let elements: Elements<'_> = part(whole, text)?;
            let nodes = elements.0.into_iter().map(|raw| node(whole, raw.get(), depth + 1, budget));
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

/// An object's members in their order.
struct Members<'a>(Vec<(Key<'a>, &'a RawValue)>);

/// A key, borrowed unless it has escapes.
struct Key<'a>(std::borrow::Cow<'a, str>);

/// An array's elements.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AKey;
        impl<'de> Visitor<'de> for AKey {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(key.into()))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(key.to_owned().into()))
            }
        }
        deserializer.deserialize_str(AKey)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnObject;
        impl<'de> Visitor<'de> for AnObject {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(AnObject)
    }
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnArray;
        impl<'de> Visitor<'de> for AnArray {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(AnArray)
    }
}

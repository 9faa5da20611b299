//! Schema keywords: which contain schemas, which are kept, and how OpenAPI 3.0 differs.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::super::document::Dialect;
use super::super::limits;
use super::hidden::Names;
use super::{BadSchema, Schemas, Stop};

/// What a keyword's value contains.
enum Keyword {
    /// A schema.
    Schema,
    /// A list of schemas.
    List,
    /// Schemas by name.
    Map,
    /// A value without schemas.
    Value,
    /// Removed: keywords of OpenAPI or of documents, and unknown ones. Definitions are found from the document's root, and an unknown
    /// keyword may contain what some reader takes for a reference.
    Gone,
}

fn keyword(name: &str) -> Keyword {
    match name {
        "additionalProperties"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "items"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Keyword::Schema,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Keyword::List,
        "dependentSchemas" | "patternProperties" | "properties" => Keyword::Map,
        "const" | "contentEncoding" | "contentMediaType" | "default" | "dependentRequired" | "deprecated"
        | "description" | "enum" | "examples" | "exclusiveMaximum" | "exclusiveMinimum" | "format"
        | "maxContains" | "maxItems" | "maxLength" | "maxProperties" | "maximum" | "minContains"
        | "minItems" | "minLength" | "minProperties" | "minimum" | "multipleOf" | "nullable" | "pattern"
        | "required" | "title" | "type" | "uniqueItems" => Keyword::Value,
        // This includes `x-mcp-header`: a document must not decide which headers a client sends us.
        _ => Keyword::Gone,
    }
}

impl<'a> Schemas<'a> {
    /// Converts all keywords of a schema but its reference, without hidden members.
    pub(super) fn keywords(
        &mut self,
        members: &'a Map<String, Value>,
        hidden: &Names<'a>,
        depth: usize,
    ) -> Result<Value, Stop> {
        for dynamic in ["$dynamicRef", "$recursiveRef"] {
            if members.contains_key(dynamic) {
                return Err(BadSchema::Dynamic(dynamic).into());
            }
        }
        let mut schema = Map::new();
        for (name, value) in members {
            match (keyword(name), value) {
                (Keyword::Schema, Value::Object(_) | Value::Bool(_)) => {
                    schema.insert(name.clone(), self.schema(value, None, depth + 1)?);
                }
                (Keyword::List, Value::Array(list)) => {
                    // `allOf` is about the same object, so that the hidden members apply; alternatives have their own.
                    let applied = (name == "allOf").then_some(hidden);
                    let list = list.iter().map(|value| self.schema(value, applied, depth + 1));
                    schema.insert(name.clone(), list.collect::<Result<Vec<_>, _>>()?.into());
                }
                (Keyword::Map, Value::Object(map)) => {
                    let mut made = Map::new();
                    for (key, value) in map {
                        // A member that is hidden by its own schema is left out even beyond the limit of lookups.
                        if name == "properties" && (hidden.contains(key.as_str()) || self.says_hidden(value))
                        {
                            continue;
                        }
                        self.copy(key)?;
                        made.insert(key.clone(), self.schema(value, None, depth + 1)?);
                    }
                    schema.insert(name.clone(), made.into());
                }
                (Keyword::Value, value) if is_fit(name, value) => {
                    let value = shortened(name, value);
                    self.count(&value, depth + 1)?;
                    schema.insert(name.clone(), value.into_owned());
                }
                _ => {}
            }
        }
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            let alternatives = ["anyOf", "oneOf"].iter().filter_map(|of| members.get(*of)?.as_array());
            let hidden_in_one = self.hidden_in_one(alternatives.flatten().collect());
            let own = |name: &str| members.get("properties")?.get(name);
            let is_hidden = |name: &str| {
                hidden.contains(name)
                    || hidden_in_one.contains(name)
                    || own(name).is_some_and(|property| self.says_hidden(property))
            };
            required.retain(|name| name.as_str().is_some_and(|name| !is_hidden(name)));
            if required.is_empty() {
                schema.remove("required");
            }
        }
        exclusive(&mut schema);
        if self.dialect == Dialect::V30 {
            return Ok(of_30(schema));
        }
        Ok(schema.into())
    }

    fn count(&mut self, value: &Value, depth: usize) -> Result<(), Stop> {
        self.take(depth)?;
        match value {
            Value::String(text) => self.copy(text),
            Value::Array(list) => list.iter().try_for_each(|value| self.count(value, depth + 1)),
            Value::Object(map) => map.iter().try_for_each(|(key, value)| {
                self.copy(key)?;
                self.count(value, depth + 1)
            }),
            _ => Ok(()),
        }
    }
}

/// Whether the keyword may have this value. Clients that validate schemas would reject the whole list for an invalid one.
fn is_fit(name: &str, value: &Value) -> bool {
    let is_type = |value: &Value| {
        let types = ["array", "boolean", "integer", "null", "number", "object", "string"];
        value.as_str().is_some_and(|name| types.contains(&name))
    };
    let texts = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    match name {
        "type" => {
            is_type(value)
                || value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(is_type))
        }
        "required" => texts(value),
        "enum" => value.as_array().is_some_and(|list| !list.is_empty()),
        "examples" => value.is_array(),
        "title" | "description" | "format" | "pattern" | "contentEncoding" | "contentMediaType" => {
            value.is_string()
        }
        "deprecated" | "uniqueItems" => value.is_boolean(),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => value.is_u64(),
        "minimum" | "maximum" => value.is_number(),
        "exclusiveMinimum" | "exclusiveMaximum" => value.is_number() || value.is_boolean(),
        "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
        "dependentRequired" => value.as_object().is_some_and(|map| map.values().all(texts)),
        _ => true,
    }
}

fn shortened<'v>(name: &str, value: &'v Value) -> Cow<'v, Value> {
    match value {
        Value::String(text) if name == "description" => Cow::Owned(short(text).into()),
        value => Cow::Borrowed(value),
    }
}

/// Cuts a text to the longest that a description may be.
pub(in crate::rest) fn short(text: &str) -> &str {
    if text.len() <= limits::DESCRIPTION_BYTES {
        return text;
    }
    let end = (0..=limits::DESCRIPTION_BYTES).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

/// Converts a Boolean `exclusiveMinimum` or `exclusiveMaximum` of OpenAPI 3.0 into a number. Converted documents of 3.1 have these too.
fn exclusive(schema: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => {
                schema.remove(exclusive);
                if let Some(number) = schema.remove(bound) {
                    schema.insert(exclusive.to_owned(), number);
                }
            }
            Some(Value::Bool(false)) => drop(schema.remove(exclusive)),
            _ => {}
        }
    }
}

/// Converts a schema of OpenAPI 3.0 to JSON Schema 2020-12.
fn of_30(mut schema: Map<String, Value>) -> Value {
    if schema.remove("nullable") != Some(Value::Bool(true)) {
        return schema.into();
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    } else if ["allOf", "anyOf", "oneOf"].iter().any(|of| schema.contains_key(*of)) {
        // By the letter, `nullable` without a type has no effect; it is meant to have one.
        return json!({ "anyOf": [schema, { "type": "null" }] });
    }
    schema.into()
}

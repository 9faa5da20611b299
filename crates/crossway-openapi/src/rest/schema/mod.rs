//! Converts schemas of OpenAPI documents into self-contained JSON Schemas.
//!
//! References are replaced by their targets where the schema stays small, since not every model's API follows them. In schemas that refer
//! to themselves, or would grow too much, references stay, and their targets are in `$defs`.

mod hidden;
mod keywords;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::document::{Broken, Dialect, Document, resolve, target};
use super::limits;

use hidden::Names;
pub(super) use keywords::short;

/// The side that writes the values that a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The client, which does not write `readOnly` members.
    Request,
    /// The API, which does not write `writeOnly` members.
    Answer,
}

/// Why a schema can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSchema {
    /// A reference can't be resolved.
    #[error(transparent)]
    Reference(#[from] Broken),
    /// The schema is nested too deeply.
    #[error("its schema is nested deeper than {} levels", limits::SCHEMA_DEPTH)]
    TooDeep,
    /// The schema has too many values.
    #[error("its schema has more than {} values", limits::SCHEMA_VALUES)]
    TooMuch,
    /// The schema has too much text.
    #[error("its schema has more than {} bytes of text", limits::SCHEMA_BYTES)]
    TooLong,
    /// The schema has dynamic references.
    #[error("its schema uses {0}, which is not understood")]
    Dynamic(&'static str),
}

/// Why a conversion ended early.
enum Stop {
    /// References have to be kept: convert again with that.
    Keep,
    Bad(BadSchema),
}

impl<E: Into<BadSchema>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Bad(error.into())
    }
}

/// Converts the schemas of one tool.
pub(super) struct Schemas<'a> {
    root: &'a Value,
    dialect: Dialect,
    side: Side,
    keeps: bool,
    values: usize,
    /// Bytes of copied texts and names.
    bytes: usize,
    /// The number of lookups for hidden members.
    looks: usize,
    /// The references that are being replaced.
    within: Vec<&'a str>,
    /// The names in `$defs`, by reference.
    names: HashMap<&'a str, String>,
    waiting: Vec<&'a str>,
}

impl<'a> Schemas<'a> {
    /// Converts the schemas that `each` asks for, and returns its result with the definitions for `$defs`.
    pub(super) fn convert<T>(
        document: &'a Document,
        side: Side,
        mut each: impl FnMut(&mut Converting<'_, 'a>) -> Result<T, BadSchema>,
    ) -> Result<(T, Map<String, Value>), BadSchema> {
        for keeps in [false, true] {
            let (root, dialect) = (document.root(), document.dialect());
            let mut schemas = Self {
                root,
                dialect,
                side,
                keeps,
                values: 0,
                bytes: 0,
                looks: 0,
                within: Vec::new(),
                names: HashMap::new(),
                waiting: Vec::new(),
            };
            let mut converting = Converting { schemas: &mut schemas, must_keep: false };
            let made = each(&mut converting);
            if converting.must_keep {
                continue;
            }
            let made = made?;
            return Ok((made, schemas.definitions()?));
        }
        Err(BadSchema::TooMuch)
    }

    fn definitions(&mut self) -> Result<Map<String, Value>, BadSchema> {
        let mut definitions = Map::new();
        while let Some(reference) = self.waiting.pop() {
            // A circle of references alone would stay one in the schema.
            let node = target(self.root, reference)?;
            resolve(self.root, node)?;
            let schema = self.schema(node, None, 0).map_err(|stop| match stop {
                Stop::Keep => BadSchema::TooMuch,
                Stop::Bad(bad) => bad,
            })?;
            if let Some(name) = self.names.get(reference) {
                definitions.insert(name.clone(), schema);
            }
        }
        Ok(definitions)
    }

    fn take(&mut self, depth: usize) -> Result<(), Stop> {
        self.values += 1;
        if depth > limits::SCHEMA_DEPTH {
            return Err(if self.keeps { BadSchema::TooDeep.into() } else { Stop::Keep });
        }
        if self.keeps && self.values > limits::SCHEMA_VALUES {
            return Err(BadSchema::TooMuch.into());
        }
        if !self.keeps && self.values > limits::INLINED_VALUES {
            return Err(Stop::Keep);
        }
        Ok(())
    }

    /// Counts copied text: a long text is a single value, however often references repeat it.
    fn copy(&mut self, text: &str) -> Result<(), Stop> {
        self.bytes += text.len();
        match self.bytes > limits::SCHEMA_BYTES {
            true if self.keeps => Err(BadSchema::TooLong.into()),
            true => Err(Stop::Keep),
            false => Ok(()),
        }
    }

    /// Converts a schema. `applied` are the hidden members of the object, if the schema is one of several that apply to it.
    fn schema(&mut self, node: &'a Value, applied: Option<&Names<'a>>, depth: usize) -> Result<Value, Stop> {
        self.take(depth)?;
        let members = match node {
            Value::Bool(any) => return Ok(Value::Bool(*any)),
            Value::Object(members) => members,
            // Not a schema: it says nothing.
            _ => return Ok(Value::Object(Map::new())),
        };
        let reference = members.get("$ref").and_then(Value::as_str);
        if let Some(reference) = reference
            // "This object cannot be extended with additional properties" (OpenAPI 3.0.3, Reference Object).
            && (self.dialect == Dialect::V30 || members.len() == 1)
        {
            return self.reference(reference, applied, depth);
        }
        let own;
        let hidden = match applied {
            Some(hidden) => hidden,
            None => {
                own = self.hidden(node);
                &own
            }
        };
        let Some(reference) = reference else { return self.keywords(members, hidden, depth) };
        let schema = self.reference(reference, Some(hidden), depth)?;
        match self.keywords(members, hidden, depth)? {
            Value::Object(beside) => Ok(joined(schema, beside)),
            _ => Ok(schema),
        }
    }

    fn reference(
        &mut self,
        reference: &'a str,
        applied: Option<&Names<'a>>,
        depth: usize,
    ) -> Result<Value, Stop> {
        let node = target(self.root, reference)?;
        if self.keeps {
            // Other references share the target, so members that are hidden beside one reference are not removed from it.
            let name = self.name(reference);
            return Ok(Map::from_iter([("$ref".to_owned(), format!("#/$defs/{name}").into())]).into());
        }
        if self.within.contains(&reference) {
            return Err(Stop::Keep);
        }
        self.within.push(reference);
        let schema = self.schema(node, applied, depth + 1)?;
        self.within.pop();
        Ok(schema)
    }

    /// Names a reference in `$defs`: its last part, with a number if another has that name.
    fn name(&mut self, reference: &'a str) -> String {
        if let Some(name) = self.names.get(reference) {
            return name.clone();
        }
        let last = reference.rsplit('/').next().unwrap_or_default();
        let plain: String = last
            .chars()
            .take(limits::NAME_BYTES)
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
            .collect();
        let mut name = if plain.is_empty() { "schema".to_owned() } else { plain.clone() };
        let mut number = 1;
        while self.names.values().any(|other| *other == name) {
            number += 1;
            name = format!("{plain}_{number}");
        }
        self.names.insert(reference, name.clone());
        self.waiting.push(reference);
        name
    }
}

/// Combines a schema with the keywords beside its reference.
fn joined(schema: Value, beside: Map<String, Value>) -> Value {
    const SAYS_NOTHING: [&str; 6] = ["title", "description", "default", "deprecated", "examples", "format"];
    match schema {
        Value::Object(mut schema) if beside.keys().all(|key| SAYS_NOTHING.contains(&key.as_str())) => {
            schema.extend(beside);
            Value::Object(schema)
        }
        schema if beside.is_empty() => schema,
        schema => {
            let mut all = beside;
            let mut parts = vec![schema];
            if let Some(Value::Array(more)) = all.remove("allOf") {
                parts.extend(more);
            }
            all.insert("allOf".to_owned(), Value::Array(parts));
            Value::Object(all)
        }
    }
}

/// A conversion in progress.
pub(super) struct Converting<'b, 'a> {
    schemas: &'b mut Schemas<'a>,
    must_keep: bool,
}

impl<'a> Converting<'_, 'a> {
    /// Converts the schema of a node.
    pub(super) fn schema(&mut self, node: &'a Value) -> Result<Value, BadSchema> {
        match self.schemas.schema(node, None, 0) {
            Ok(schema) => Ok(schema),
            Err(Stop::Bad(bad)) => Err(bad),
            Err(Stop::Keep) => {
                // The returned value does not matter: everything is converted again.
                self.must_keep = true;
                Ok(Value::Null)
            }
        }
    }
}

#[cfg(test)]
mod tests;

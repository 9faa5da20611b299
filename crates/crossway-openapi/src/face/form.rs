//! Chooses the value that a tool's result is answered with.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::tree::Tree;

/// Which part of a tool's results is the answer, by what the tool declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Their content: the tool declares no output schema.
    Content,
    /// Their structured content.
    Structured,
    /// The only member of their structured content: SDKs wrap values that are not objects, since structured content had to be an object
    /// before 2026-07-28.
    Wrapped,
}

/// The member in which SDKs wrap values.
const WRAPPED: &str = "result";

impl Form {
    /// Determines the form from the output schema of a tool of this name.
    pub(crate) fn of_schema(tool: &str, schema: Option<&Tree>) -> Self {
        let Some(schema) = schema.and_then(Tree::as_object) else { return Self::Content };
        let properties = schema.get("properties").and_then(Tree::as_object);
        let is_only = properties.is_some_and(|all| all.len() == 1 && all.get(WRAPPED).is_some());
        let is_marked = schema.get("x-fastmcp-wrap-result") == Some(&Tree::Bool(true));
        // Python's SDK marks it by a title that it derives from the function's name.
        let is_titled = schema.get("title").and_then(Tree::as_text) == Some(&format!("{tool}Output"));
        if is_only && (is_marked || is_titled) { Self::Wrapped } else { Self::Structured }
    }

    /// Whether the tool declares an output schema.
    pub(crate) fn is_declared(self) -> bool {
        self != Self::Content
    }

    /// The part of the structured content that is the answer.
    pub(crate) fn of(self, structured: &RawValue) -> serde_json::Result<&RawValue> {
        #[derive(Deserialize)]
        struct Wrapped<'a> {
            // A null is a value; only an absent member is none.
            #[serde(borrow, default, deserialize_with = "there")]
            result: Option<&'a RawValue>,
        }
        if self != Self::Wrapped {
            return Ok(structured);
        }
        let wrapped: Wrapped<'_> = serde_json::from_str(structured.get())?;
        Ok(wrapped.result.unwrap_or(structured))
    }

    /// The schema of that part.
    pub(crate) fn schema(self, schema: &Tree) -> Tree {
        let inner = (self == Self::Wrapped)
            .then(|| schema.at("properties").and_then(|properties| properties.at(WRAPPED)))
            .flatten();
        inner.unwrap_or(schema).clone()
    }
}

fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

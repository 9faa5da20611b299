//! Removes members that the other side writes: `readOnly` from requests, `writeOnly` from responses.

use std::collections::HashSet;

use serde_json::Value;

use super::super::document::target;
use super::super::limits;
use super::{Schemas, Side};

/// Names of members.
pub(super) type Names<'a> = HashSet<&'a str>;

impl<'a> Schemas<'a> {
    /// The members that are not for this side, of an object to which the schema, all its `allOf`s and its references apply.
    pub(super) fn hidden(&mut self, schema: &'a Value) -> Names<'a> {
        self.hidden_in(vec![schema], &["allOf"])
    }

    /// The members that are hidden in at least one of a schema's alternatives. The schema itself can't require them.
    pub(super) fn hidden_in_one(&mut self, alternatives: Vec<&'a Value>) -> Names<'a> {
        self.hidden_in(alternatives, &["allOf", "anyOf", "oneOf"])
    }

    fn hidden_in(&mut self, schemas: Vec<&'a Value>, through: &[&str]) -> Names<'a> {
        let mut names = Names::new();
        for schema in self.applying(schemas, through) {
            for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten()
            {
                self.looks += 1;
                if self.is_hidden(property) {
                    names.insert(name);
                }
            }
        }
        names
    }

    /// "When multiple occurrences of these keywords are applicable to a single sub-instance, the resulting behavior SHOULD be as for a true
    /// value if any occurrence specifies a true value" (JSON Schema 2020-12, Validation, section 9.4).
    fn is_hidden(&mut self, property: &'a Value) -> bool {
        let is_composed = property.get("$ref").is_some() || property.get("allOf").is_some();
        self.says_hidden(property)
            || is_composed
                && self.applying(vec![property], &["allOf"]).into_iter().any(|part| self.says_hidden(part))
    }

    /// Whether a schema itself says that its value is not for this side.
    pub(super) fn says_hidden(&self, schema: &Value) -> bool {
        let keyword = if self.side == Side::Request { "readOnly" } else { "writeOnly" };
        schema.get(keyword) == Some(&Value::Bool(true))
    }

    /// These schemas, and those that they refer to or are composed of by `through`. Broken references are reported when they are converted.
    fn applying(&mut self, mut left: Vec<&'a Value>, through: &[&str]) -> Vec<&'a Value> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        while let Some(schema) = left.pop() {
            if !seen.insert(std::ptr::from_ref(schema)) {
                continue;
            }
            found.push(schema);
            if self.looks >= limits::SCHEMA_LOOKS {
                continue;
            }
            self.looks += 1;
            let reference = schema.get("$ref").and_then(Value::as_str);
            left.extend(reference.and_then(|reference| target(self.root, reference).ok()));
            left.extend(through.iter().filter_map(|keyword| schema.get(*keyword)?.as_array()).flatten());
        }
        found
    }
}

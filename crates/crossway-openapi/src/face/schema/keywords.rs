//! JSON Schema keywords whose values contain schemas.

/// What stands behind a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A schema.
    One,
    /// A list of schemas.
    List,
    /// A schema, or in older drafts a list of them.
    OneOrList,
    /// Schemas by name.
    Map,
    /// In older drafts, schemas or lists of names, by name.
    Dependencies,
    /// Schemas that are there to be referred to.
    Definitions,
    /// What names schemas, or their dialect. `discriminator` is OpenAPI's, and names those that are not where it says once a schema stands in a
    /// document.
    Name,
    /// A value, which is no schema even if it looks like one.
    Value,
}

impl Holds {
    pub(super) fn of(keyword: &str) -> Self {
        match keyword {
            "additionalProperties"
            | "unevaluatedProperties"
            | "unevaluatedItems"
            | "additionalItems"
            | "contains"
            | "propertyNames"
            | "contentSchema"
            | "not"
            | "if"
            | "then"
            | "else" => Self::One,
            "items" => Self::OneOrList,
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => Self::List,
            "properties" | "patternProperties" | "dependentSchemas" => Self::Map,
            "dependencies" => Self::Dependencies,
            "$defs" | "definitions" => Self::Definitions,
            "$schema" | "$id" | "$anchor" | "$dynamicAnchor" | "$recursiveAnchor" | "$vocabulary"
            | "$comment" | "discriminator" => Self::Name,
            _ => Self::Value,
        }
    }
}

/// Whether a keyword tells something of a schema and decides nothing.
pub(super) fn is_annotation(keyword: &str) -> bool {
    matches!(
        keyword,
        "title"
            | "description"
            | "default"
            | "examples"
            | "example"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
    ) || keyword.starts_with("x-")
        || Holds::of(keyword) == Holds::Name
}

/// Whether a keyword says what becomes of members or items that no other one names.
pub(super) fn is_of_others(keyword: &str) -> bool {
    matches!(keyword, "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems")
}

/// The keyword by which a schema refers to another one.
pub(super) fn is_reference(keyword: &str) -> bool {
    matches!(keyword, "$ref" | "$dynamicRef" | "$recursiveRef")
}

//! JSON Schema keywords whose values contain schemas.

/// What a keyword's value contains.
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
    /// Schemas by name, or in older drafts also lists of names.
    Dependencies,
    /// Definitions of schemas, for references.
    Definitions,
    /// Names of schemas, or of their dialect. `discriminator` is OpenAPI's, and its names would be wrong once the schema is part of another
    /// document.
    Name,
    /// A plain value, even if it looks like a schema.
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

/// Whether a keyword only annotates, and does not affect validation.
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

/// Whether a keyword applies to the members or items that no other keyword names.
pub(super) fn is_of_others(keyword: &str) -> bool {
    matches!(keyword, "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems")
}

/// The keyword by which a schema refers to another one.
pub(super) fn is_reference(keyword: &str) -> bool {
    matches!(keyword, "$ref" | "$dynamicRef" | "$recursiveRef")
}

//! The `x-mcp-header` annotations of a tool's `inputSchema`: which arguments are mirrored in which headers.
//!
//! 2026-07-28, basic/transports/streamable-http, "Schema Extension".

use http::HeaderName;
use serde_json::{Map, Value};

use super::super::limits::PARAM_HEADERS;
use super::super::names::MCP_PARAM_PREFIX;
use super::params::ParamHeader;

const ANNOTATION: &str = "x-mcp-header";

/// Reads all annotations of a schema.
pub(super) fn read(schema: &[u8]) -> Result<Vec<ParamHeader>, InvalidAnnotation> {
    let mut found = Vec::new();
    if may_have_annotations(schema) {
        let schema: Value = serde_json::from_slice(schema).map_err(|_| InvalidAnnotation::NotJson)?;
        let mut path = Vec::new();
        walk(&schema, &mut path, Place::Root, &mut found)?;
    }
    Ok(found)
}

/// Few schemas have annotations, and most can be told from their text not to. An escape could hide the name.
fn may_have_annotations(schema: &[u8]) -> bool {
    memchr::memmem::find(schema, ANNOTATION.as_bytes()).is_some() || memchr::memchr(b'\\', schema).is_some()
}

/// Where in the schema a subschema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// Under a chain of `properties` from the root.
    Property,
    /// Anywhere else: below `items`, `oneOf`, `$defs` and the like.
    Elsewhere,
}

/// "The chain **MUST NOT** pass through `items` (or any other array keyword), composition keywords, conditional
/// keywords, or `$ref`. [...] An `x-mcp-header` annotation anywhere else makes the annotation — and thus the tool
/// definition — invalid."
///
/// Recursion is bounded by the depth that `serde_json` reads.
fn walk(
    schema: &Value,
    path: &mut Vec<String>,
    place: Place,
    found: &mut Vec<ParamHeader>,
) -> Result<(), InvalidAnnotation> {
    let Value::Object(schema) = schema else { return Ok(()) };
    if let Some(label) = schema.get(ANNOTATION) {
        if place != Place::Property {
            return Err(InvalidAnnotation::Unreachable);
        }
        let header = header(schema, label, path, found)?;
        found.push(ParamHeader { header, path: path.clone() });
    }
    for (keyword, value) in schema {
        match keyword.as_str() {
            // Values that instances have or may have: an annotation in them would be none.
            ANNOTATION | "const" | "enum" | "default" | "examples" => {}
            "properties" if place != Place::Elsewhere => {
                for (name, property) in value.as_object().into_iter().flatten() {
                    path.push(name.clone());
                    walk(property, path, Place::Property, found)?;
                    path.pop();
                }
            }
            // Subschemas by name, where the names are no keywords.
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
            | "dependencies" => {
                for subschema in value.as_object().into_iter().flat_map(Map::values) {
                    walk(subschema, path, Place::Elsewhere, found)?;
                }
            }
            _ => {
                for subschema in value.as_array().into_iter().flatten().chain([value]) {
                    walk(subschema, path, Place::Elsewhere, found)?;
                }
            }
        }
    }
    Ok(())
}

fn header(
    schema: &Map<String, Value>,
    label: &Value,
    path: &[String],
    found: &[ParamHeader],
) -> Result<HeaderName, InvalidAnnotation> {
    let property = || path.join(".");
    let label = label.as_str().filter(|label| is_token(label));
    let header = label.and_then(|label| format!("{MCP_PARAM_PREFIX}{label}").parse::<HeaderName>().ok());
    let Some(header) = header else {
        return Err(InvalidAnnotation::NotToken { property: property() });
    };
    if !is_primitive(schema.get("type")) {
        return Err(InvalidAnnotation::NotPrimitive { property: property() });
    }
    if found.iter().any(|other| other.header == header) {
        return Err(InvalidAnnotation::Repeated { property: property() });
    }
    if found.len() == PARAM_HEADERS {
        return Err(InvalidAnnotation::TooMany);
    }
    Ok(header)
}

/// "**MUST** match HTTP field-name token syntax (`1*tchar`, RFC 9110 Section 5.1)".
fn is_token(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// "**MUST** only be applied to parameters with primitive types (integer, string, boolean)."
///
/// One of these or null, as `["string", "null"]`, passes: null is what the header is left out for.
fn is_primitive(kind: Option<&Value>) -> bool {
    let is_primitive = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer" | "boolean"));
    match kind {
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter(|kind| kind.as_str() != Some("null"));
            kinds.next().is_some_and(is_primitive) && kinds.next().is_none()
        }
        Some(kind) => is_primitive(kind),
        None => false,
    }
}

/// Why a tool's annotations are invalid: "the client **MUST** exclude the invalid tool from the result of
/// `tools/list`".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAnnotation {
    /// The schema is not valid JSON.
    #[error("the input schema is not valid JSON")]
    NotJson,
    /// The annotation is empty, has characters that no header's name may have, or is no string.
    #[error("x-mcp-header of \"{property}\" is not a name for a header")]
    NotToken {
        /// The property's path.
        property: String,
    },
    /// The property is not of type string, integer or boolean.
    #[error("\"{property}\" has x-mcp-header and is not of type string, integer or boolean")]
    NotPrimitive {
        /// The property's path.
        property: String,
    },
    /// Another property has the same annotation, upper and lower case being the same.
    #[error("x-mcp-header of \"{property}\" is that of another property too")]
    Repeated {
        /// The property's path.
        property: String,
    },
    /// It stands where no chain of `properties` leads from the schema's root.
    #[error("there is an x-mcp-header to which no chain of properties leads")]
    Unreachable,
    /// There are more than [`PARAM_HEADERS`].
    #[error("more than {PARAM_HEADERS} properties have x-mcp-header")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The headers with the paths that they mirror.
    fn read(schema: &Value) -> Result<Vec<(String, String)>, InvalidAnnotation> {
        let found = super::read(schema.to_string().as_bytes())?;
        Ok(found.into_iter().map(|found| (found.header.to_string(), found.path.join("."))).collect())
    }

    fn property(property: Value) -> Result<Vec<(String, String)>, InvalidAnnotation> {
        read(&json!({ "type": "object", "properties": { "value": property } }))
    }

    #[test]
    fn annotated_properties_are_found_at_any_depth_of_properties() {
        let schema = json!({
            "type": "object",
            "properties": {
                "region": { "type": "string", "x-mcp-header": "Region" },
                "query": { "type": "string" },
                "filter": { "properties": {
                    "x-mcp-header": { "type": ["null", "integer"], "x-mcp-header": "Filter-Id" },
                    "deep": { "properties": { "flag": { "type": "boolean", "x-mcp-header": "!#$%&'*+-.^_`|~9" } } },
                } },
            },
        });
        let mut found = read(&schema).unwrap();
        found.sort();
        assert_eq!(
            found,
            [
                ("mcp-param-!#$%&'*+-.^_`|~9".into(), "filter.deep.flag".into()),
                ("mcp-param-filter-id".into(), "filter.x-mcp-header".into()),
                ("mcp-param-region".to_owned(), "region".to_owned()),
            ]
        );
    }

    #[test]
    fn schemas_without_annotations_have_no_headers() {
        assert_eq!(read(&json!({ "type": "object" })), Ok(vec![]));
        assert_eq!(
            read(&json!({ "const": { "x-mcp-header": 1 }, "examples": [{ "x-mcp-header": 1 }] })),
            Ok(vec![])
        );
        assert_eq!(read(&json!({ "properties": { "x-mcp-header": { "type": "string" } } })), Ok(vec![]));
        assert_eq!(read(&json!(true)), Ok(vec![]));
    }

    #[test]
    fn names_that_no_header_may_have_are_refused() {
        let invalid = |label: Value| property(json!({ "type": "string", "x-mcp-header": label }));
        for label in
            ["", "My Region", "Region:Primary", "Région", "Region\t1", "a\r\nb", "(a)", "a/b", "\u{7f}"]
        {
            assert_eq!(
                invalid(label.into()),
                Err(InvalidAnnotation::NotToken { property: "value".into() }),
                "{label:?}"
            );
        }
        for label in [json!(1), json!(null), json!(["A"]), json!(true)] {
            assert_eq!(invalid(label), Err(InvalidAnnotation::NotToken { property: "value".into() }));
        }
    }

    #[test]
    fn only_strings_integers_and_booleans_are_mirrored() {
        let of = |kind: Value| property(json!({ "type": kind, "x-mcp-header": "V" })).is_ok();
        assert!(
            of("string".into())
                && of("integer".into())
                && of("boolean".into())
                && of(json!(["string", "null"]))
        );
        for kind in
            [json!("number"), json!("object"), json!("array"), json!("null"), json!(["string", "integer"])]
        {
            assert!(!of(kind.clone()), "{kind}");
        }
        assert!(!of(json!([])) && !of(json!(["null"])) && !of(json!(1)));
        assert!(property(json!({ "enum": ["a"], "x-mcp-header": "V" })).is_err());
    }

    #[test]
    fn names_are_unique_whatever_their_case() {
        let schema = |one: &str, other: &str| {
            let of = |label: &str| json!({ "type": "string", "x-mcp-header": label });
            read(&json!({ "properties": { "a": of(one), "b": { "properties": { "c": of(other) } } } }))
        };
        assert!(schema("Region", "Region2").is_ok());
        for other in ["Region", "rEGION"] {
            assert!(matches!(schema("Region", other), Err(InvalidAnnotation::Repeated { .. })), "{other}");
        }
    }

    #[test]
    fn an_annotation_anywhere_else_is_refused() {
        let annotated = json!({ "type": "string", "x-mcp-header": "V" });
        let object = json!({ "properties": { "inner": annotated.clone() } });
        for subschema in [&annotated, &object] {
            for schema in [
                json!({ "properties": { "list": { "items": subschema } } }),
                json!({ "properties": { "list": { "prefixItems": [subschema] } } }),
                json!({ "oneOf": [subschema] }),
                json!({ "allOf": [{}, { "anyOf": [subschema] }] }),
                json!({ "not": subschema }),
                json!({ "if": {}, "then": subschema }),
                json!({ "else": subschema }),
                json!({ "$defs": { "a": subschema } }),
                json!({ "definitions": { "properties": subschema } }),
                json!({ "patternProperties": { "^a": subschema } }),
                json!({ "additionalProperties": subschema }),
                json!({ "dependentSchemas": { "a": subschema } }),
                json!({ "x-vendor": subschema }),
                json!({ "properties": { "a": { "items": { "properties": { "b": subschema } } } } }),
            ] {
                assert_eq!(read(&schema), Err(InvalidAnnotation::Unreachable), "{schema}");
            }
        }
        assert_eq!(read(&annotated), Err(InvalidAnnotation::Unreachable), "the root is no property");
    }

    #[test]
    fn an_escape_does_not_hide_an_annotation() {
        let schema = br#"{"properties": {"a": {"type": "string", "x-mcp-\u0068eader": "A"}}}"#;
        assert_eq!(super::read(schema).unwrap().len(), 1);
    }

    #[test]
    fn what_is_too_much_or_not_json_is_refused() {
        let of = |count: usize| {
            let of = |i| (format!("p{i}"), json!({ "type": "string", "x-mcp-header": format!("H{i}") }));
            read(&json!({ "properties": (0..count).map(of).collect::<Map<_, _>>() }))
        };
        assert_eq!(of(PARAM_HEADERS).map(|found| found.len()), Ok(PARAM_HEADERS));
        assert_eq!(of(PARAM_HEADERS + 1), Err(InvalidAnnotation::TooMany));
        assert_eq!(super::read(b"{\"x-mcp-header\""), Err(InvalidAnnotation::NotJson));
        let deep = format!("{}\"x-mcp-header\"{}", "{\"items\":".repeat(500), "}".repeat(500));
        assert_eq!(super::read(deep.as_bytes()), Err(InvalidAnnotation::NotJson));
    }
}

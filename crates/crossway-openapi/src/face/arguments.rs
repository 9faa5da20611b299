//! The arguments of a call: read strictly, and held against the tool's schema.

use std::fmt;

use http::StatusCode;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::limits::{FAULTS, PATTERN_STEPS, SCHEMA_BYTES};
use super::problem::{Fault, Problem, Segment};

/// The longest text of a fault, in characters.
const FAULT_TEXT: usize = 300;

/// Reads arguments: a JSON object, in which no member is there twice.
///
/// What is sent on are the bytes as they came. A member that is there twice could be one thing to us and another to the server.
///
/// # Errors
///
/// 400 for what is no JSON, 422 for JSON that is no object.
pub(crate) fn read(body: &[u8]) -> Result<Value, Problem> {
    let bad = |error: serde_json::Error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not valid JSON: {error}"))
    };
    let Strict(value) = serde_json::from_slice(body).map_err(bad)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Problem::faults(vec![Fault {
        loc: vec![Segment::Name("body".to_owned())],
        msg: "the arguments are a JSON object".to_owned(),
        kind: "type".to_owned(),
    }]))
}

/// JSON in which no member is there twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

/// Holds arguments against a schema.
///
/// JSON Schema 2020-12 unless the schema says another dialect ("Defaults to 2020-12 if no explicit `$schema` is provided",
/// 2026-07-28, basic/index, JSON Schema Usage). `format` is taken as an annotation, as it is by default there.
pub(crate) struct Checker(Validator);

impl Checker {
    /// `None` where the schema can't be used: it is too long, no schema, or refers to other documents, which are never fetched. The
    /// server then checks by itself, as it should anyway.
    pub(crate) fn new(tool: &str, schema: &RawValue) -> Option<Self> {
        if schema.get().len() > SCHEMA_BYTES {
            tracing::warn!(tool, "a tool's schema is too long; its arguments are left to its server");
            return None;
        }
        let schema: Value = serde_json::from_str(schema.get()).ok()?;
        let patterns = PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS);
        let options = jsonschema::options().with_pattern_options(patterns).should_validate_formats(false);
        match options.offline().build(&schema) {
            Ok(validator) => Some(Self(validator)),
            Err(error) => {
                let why = short(&error.to_string());
                tracing::warn!(tool, %why, "a tool's schema can't be used; its arguments are left to its server");
                None
            }
        }
    }

    /// # Errors
    ///
    /// 422 with what does not fit.
    pub(crate) fn check(&self, arguments: &Value) -> Result<(), Problem> {
        if self.0.is_valid(arguments) {
            return Ok(());
        }
        let faults: Vec<Fault> =
            self.0.iter_errors(arguments).take(FAULTS).map(|error| fault(&error)).collect();
        Err(Problem::faults(faults))
    }
}

fn fault(error: &ValidationError<'_>) -> Fault {
    let way = error.instance_path();
    let way = way.as_str().split('/').skip(1).map(|segment| match segment.parse::<usize>() {
        Ok(index) => Segment::Index(index),
        Err(_) => Segment::Name(segment.replace("~1", "/").replace("~0", "~")),
    });
    Fault {
        loc: std::iter::once(Segment::Name("body".to_owned())).chain(way).collect(),
        msg: short(&error.to_string()),
        kind: error.kind().keyword().to_owned(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(FAULT_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checker(schema: &Value) -> Option<Checker> {
        Checker::new("t", &RawValue::from_string(schema.to_string()).unwrap())
    }

    #[test]
    fn arguments_are_an_object_in_which_nothing_is_there_twice() {
        assert_eq!(read(br#"{"a":[1,{"b":null}]}"#).unwrap(), json!({ "a": [1, { "b": null }] }));
        for (body, status) in [
            (&b"{"[..], 400),
            (b"", 400),
            (b"{\"a\":1,\"a\":2}", 400),
            (b"{\"x\":{\"a\":1,\"\\u0061\":2}}", 400),
            (b"{} {}", 400),
            (b"\xff", 400),
            (b"[]", 422),
            (b"null", 422),
        ] {
            assert_eq!(read(body).unwrap_err().status.as_u16(), status, "{body:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(deep.as_bytes()).unwrap_err().status.as_u16(), 400);
    }

    #[test]
    fn what_does_not_fit_is_told_as_fastapi_tells_it() {
        let checker = checker(&json!({
            "type": "object",
            "properties": { "a": { "type": "array", "items": { "type": "integer" } } },
            "required": ["b"],
        }));
        let problem = checker.unwrap().check(&json!({ "a": [1, "x"] })).unwrap_err();
        assert_eq!(problem.status.as_u16(), 422);
        let told = format!("{problem:?}");
        assert!(told.contains("Index(1)") && told.contains("\"required\""), "{told}");
    }

    #[test]
    fn schemas_that_need_other_documents_are_left_to_their_servers() {
        assert!(checker(&json!({ "$ref": "https://127.0.0.1:1/schema.json" })).is_none());
        assert!(checker(&json!({ "$ref": "file:///etc/passwd" })).is_none());
        assert!(checker(&json!({ "$ref": "#/$defs/gone" })).is_none());
        assert!(checker(&json!({ "type": 5 })).is_none());
        assert!(checker(&json!({ "$ref": "#/$defs/A", "$defs": { "A": { "type": "string" } } })).is_some());
    }

    #[test]
    fn a_pattern_that_never_ends_ends() {
        let checker =
            checker(&json!({ "properties": { "a": { "pattern": "^(?=(a+)+$)(a|aa)+b$" } } })).unwrap();
        assert!(checker.check(&json!({ "a": "a".repeat(60) + "!" })).is_err());
    }
}

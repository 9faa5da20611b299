//! The arguments of a call, read strictly.

use std::fmt;

use http::StatusCode;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::checks::Fault;

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
        loc: Vec::new(),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}

//! Reads a call's arguments strictly.

use http::StatusCode;
use serde_json::Value;

use super::problem::Problem;
use crate::checks::Fault;
use crate::strict;

/// Reads arguments: a JSON object without duplicate members.
///
/// The bytes are forwarded unchanged, so the server could read a duplicate member differently than we do.
///
/// # Errors
///
/// 400 for invalid JSON, 422 for JSON that is not an object.
pub(crate) fn read(body: &[u8]) -> Result<Value, Problem> {
    let bad = |error: serde_json::Error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is not valid JSON: {error}"))
    };
    let value = strict::read(serde_json::Deserializer::from_slice(body), &|_| true).map_err(bad)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Problem::faults(vec![Fault {
        loc: Vec::new(),
        msg: "the arguments are a JSON object".to_owned(),
        kind: "type".to_owned(),
    }]))
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

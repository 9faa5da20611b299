//! Member names that some JSON readers confuse with others.
//!
//! Go's `encoding/json` and other readers match the names of members without regard to case, and take the
//! last that matches. A decision has to be made by the member that such a server reads.

/// The members that decide something at the top of a message.
pub(super) const TOP: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// What decides in `params`.
pub(super) const PARAMS: [&str; 16] = [
    "name",
    "uri",
    "arguments",
    "ref",
    "argument",
    "context",
    "cursor",
    "level",
    "notifications",
    "requestId",
    "requestState",
    "inputResponses",
    "task",
    "progressToken",
    "protocolVersion",
    "_meta",
];

/// The members that decide something in `_meta`, besides those that begin with [`OWN`].
const META: [&str; 1] = ["progressToken"];

/// The prefix of the specification's own names in `_meta`.
const OWN: &str = "io.modelcontextprotocol/";

/// Whether a member's name, with its escapes decoded, is none of these, but one of them to a reader that
/// ignores case.
///
/// [`Message::has_lookalikes`](crate::Message::has_lookalikes) checks the members that it knows; code that
/// decides by deeper members has to check those.
#[must_use]
#[inline]
pub fn is_lookalike(name: &[u8], names: &[&str]) -> bool {
    let is_alike = |other: &&str| other.len() == name.len() && name.eq_ignore_ascii_case(other.as_bytes());
    match names.iter().find(|other| is_alike(other)) {
        Some(other) => name != other.as_bytes(),
        None => !name.is_ascii() && is_folded(name, names),
    }
}

/// Few letters beyond ASCII are one of ASCII's in another case, such as the Kelvin sign. Which ones depends on the reader.
#[cold]
fn is_folded(name: &[u8], names: &[&str]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    let (lower, upper) = (name.to_lowercase(), name.to_uppercase());
    names.iter().any(|other| lower == other.to_lowercase() || upper == other.to_uppercase())
}

/// The same for a member of `_meta`: whether it is one of [`META`], or begins like the specification's own,
/// only to a reader that ignores case.
#[inline]
pub(super) fn is_lookalike_in_meta(name: &[u8]) -> bool {
    !name.starts_with(OWN.as_bytes()) && (is_lookalike(name, &META) || begins_alike(name))
}

fn begins_alike(name: &[u8]) -> bool {
    if name.is_ascii() {
        return name.get(..OWN.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(OWN.as_bytes()));
    }
    let Ok(name) = std::str::from_utf8(name) else { return false };
    name.to_lowercase().starts_with(OWN) || name.to_uppercase().starts_with(&OWN.to_uppercase())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Limits, Message};

    fn has_lookalikes(text: &str) -> bool {
        Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap().has_lookalikes()
    }

    #[test]
    fn what_is_there_in_another_case_is_noted() {
        let call = |top: &str, params: &str, meta: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call"{top},"params":{{"name":"a","arguments":{{"Name":1}}{params},"_meta":{{"progressToken":1,"io.modelcontextprotocol/logLevel":"info","x":{{"Name":1}}{meta}}}}}}}"#
            )
        };
        assert!(!has_lookalikes(&call("", "", "")));
        assert!(!has_lookalikes(&call(
            r#","extra":1,"Ids":2"#,
            r#","names":1,"task":{"Name":1},"café":1"#,
            r#","traceparent":"","é/a":1"#
        )));
        for top in ["Method", "ID", "Params", "PARAMS", r"param\u017f", "paramſ", "Result", "JSONRPC"] {
            assert!(has_lookalikes(&call(&format!(r#","{top}":"x""#), "", "")), "{top}");
        }
        for params in
            ["Name", "URI", "Arguments", r"argument\u017f", "RequestState", "Ref", "_Meta", r"to\u212Aen"]
        {
            let is_one = !params.starts_with("to");
            assert_eq!(has_lookalikes(&call("", &format!(r#","{params}":"x""#), "")), is_one, "{params}");
        }
        for meta in [
            "ProgressToken",
            r"progressTo\u212Aen",
            "IO.modelcontextprotocol/x",
            r"io.modelcontextprotocol\u002Fx",
        ] {
            let is_one = !meta.starts_with("io");
            assert_eq!(has_lookalikes(&call("", "", &format!(r#","{meta}":"x""#))), is_one, "{meta}");
        }
    }

    #[test]
    fn the_same_name_is_no_lookalike() {
        for name in PARAMS {
            assert!(!is_lookalike(name.as_bytes(), &PARAMS));
            assert!(is_lookalike(name.to_uppercase().as_bytes(), &PARAMS), "{name}");
        }
    }
}

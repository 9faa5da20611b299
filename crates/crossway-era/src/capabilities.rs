//! Client capabilities, translated between eras.

use std::collections::BTreeMap;

use bytes::Bytes;
use crossway_proto::{ErrorCode, ErrorObject, Outcome};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::limits::{CLIENT_CAPABILITIES, CLIENT_INFO};

/// A client's capabilities by their names, each as JSON text.
pub(crate) type Said<'a> = BTreeMap<String, &'a RawValue>;

/// The capabilities by which a server can ask a client for something, and their known parts (2025-11-25 and
/// 2026-07-28, schema, ClientCapabilities).
///
/// `roots.listChanged` is left out: modern revisions lack the notification that it promises.
const ASKING: [(&str, &[&str]); 3] =
    [("elicitation", &["form", "url"]), ("roots", &[]), ("sampling", &["context", "tools"])];

/// Reduces a client's capabilities to those by which a server can ask it, with their known parts. Other names
/// and values would be kept with each session, and would split sessions and lists.
pub(crate) fn asking(said: &Said<'_>, has_parts: bool) -> Vec<(&'static str, String)> {
    let reduced = ASKING.iter().filter_map(|(name, parts)| {
        let own: Said<'_> = object(said.get(*name)?)?;
        let is_said = |part: &&&str| has_parts && own.get(**part).is_some_and(|value| is_object(value));
        let parts: Vec<_> = parts.iter().filter(is_said).map(|part| format!(r#""{part}":{{}}"#)).collect();
        Some((*name, format!("{{{}}}", parts.join(","))))
    });
    reduced.collect()
}

/// Whether a server can ask a client for something by this capability.
pub(crate) fn is_asking(name: &str) -> bool {
    ASKING.iter().any(|(asking, _)| *asking == name)
}

/// Returns a server's capabilities without null values, also within them. Some servers write null for what
/// they don't have.
pub(crate) fn without_null(mut capabilities: Map<String, Value>) -> Map<String, Value> {
    capabilities.retain(|_, capability| !capability.is_null());
    for capability in capabilities.values_mut().filter_map(Value::as_object_mut) {
        capability.retain(|_, part| !part.is_null());
    }
    capabilities
}

/// Writes capabilities as JSON text, an object.
pub(crate) fn to_json<'a>(capabilities: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let members: Vec<_> =
        capabilities.map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name))).collect();
    format!("{{{}}}", members.join(","))
}

/// Checks the length of a client's capabilities.
pub(crate) fn within_bounds(capabilities: String) -> Result<Bytes, ErrorObject> {
    if capabilities.len() > CLIENT_CAPABILITIES {
        return Err(too_long("capabilities are", CLIENT_CAPABILITIES));
    }
    Ok(capabilities.into())
}

/// Checks the length of a client's `clientInfo`.
pub(crate) fn check_info(info: &[u8]) -> Result<(), ErrorObject> {
    if info.len() > CLIENT_INFO { Err(too_long("clientInfo is", CLIENT_INFO)) } else { Ok(()) }
}

fn too_long(what: &str, most: usize) -> ErrorObject {
    ErrorObject::of_call(
        ErrorCode::INVALID_PARAMS,
        format!("the client's {what} longer than {most} bytes"),
        Outcome::NotSent,
    )
}

fn object<'a>(value: &'a RawValue) -> Option<Said<'a>> {
    is_object(value).then(|| serde_json::from_str(value.get()).ok()).flatten()
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

//! Output schemas from an operation's responses.

use http::Method;
use serde_json::{Map, Value};

use super::super::document::{Document, resolve};
use super::super::schema::{Schemas, Side};
use crate::calling::{BodyKind, kind};

/// The output schema, if the document describes every success with one and the same JSON schema: any other success would have no structured
/// content, which a tool with an `outputSchema` must return (2026-07-28, server/tools, Output Schema).
pub(super) fn output_schema(document: &Document, method: &Method, operation: &Value) -> Option<Value> {
    // "The server MUST NOT send content in the response" (RFC 9110, section 9.3.2).
    if *method == Method::HEAD {
        return None;
    }
    let responses = operation.get("responses")?.as_object()?;
    let mut found: Option<&Value> = None;
    for (status, response) in responses {
        let is_success = status.starts_with('2') || (status == "default" && responses.len() == 1);
        if !is_success {
            continue;
        }
        let response = resolve(document.root(), response).ok()?;
        let content = response.get("content")?.as_object()?;
        let mut schemas = content
            .iter()
            .map(|(mime, media)| (kind(mime) == BodyKind::Json).then(|| media.get("schema")).flatten());
        let schema = schemas.next()??;
        if schemas.next().is_some() || found.is_some_and(|other| other != schema) {
            return None;
        }
        found = Some(schema);
    }
    let node = found?;
    let (schema, definitions) =
        Schemas::convert(document, Side::Answer, |converting| converting.schema(node)).ok()?;
    let Value::Object(mut schema) = schema else { return None };
    if schema.is_empty() {
        return None;
    }
    add(&mut schema, definitions);
    Some(schema.into())
}

/// Adds definitions to a schema.
pub(super) fn add(schema: &mut Map<String, Value>, definitions: Map<String, Value>) {
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), definitions.into());
    }
}

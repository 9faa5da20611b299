//! Request bodies of operations.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::super::document::{Document, resolve};
use super::super::limits;
use super::{Style, Unusable};
use crate::calling::{BodyKind, kind};

/// The body of an operation's requests.
#[derive(Debug)]
pub(in crate::rest) struct Body {
    pub(in crate::rest) kind: MediaKind,
    /// `Content-Type`, without a multipart body's boundary.
    pub(in crate::rest) mime: String,
    pub(in crate::rest) is_required: bool,
    pub(in crate::rest) fields: Fields,
    /// How the members of a form or of a multipart body are written, by name.
    pub(in crate::rest) encodings: BTreeMap<String, Encoding>,
}

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rest) enum MediaKind {
    Json,
    Form,
    Multipart,
    Text,
    /// Raw bytes; the argument is their base64.
    Binary,
}

/// The arguments that make up a body.
#[derive(Debug)]
pub(in crate::rest) enum Fields {
    /// A single argument of this name.
    Whole(String),
    /// Members of an object, by the names of their arguments.
    Members(BTreeMap<String, String>),
}

/// The encoding of one member of a form or of a multipart body (OpenAPI 3.1.1, Encoding Object).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::rest) struct Encoding {
    pub(in crate::rest) style: Option<Style>,
    pub(in crate::rest) explode: Option<bool>,
    pub(in crate::rest) mime: Option<String>,
    /// Whether the argument is the base64 of the bytes that are sent.
    pub(in crate::rest) is_binary: bool,
    /// Whether the value itself is base64: the argument is sent unchanged, with `Content-Transfer-Encoding`.
    pub(in crate::rest) is_base64: bool,
}

/// A body as the document describes it.
pub(super) struct Media<'a> {
    pub(super) kind: MediaKind,
    pub(super) mime: &'a str,
    pub(super) is_required: bool,
    pub(super) schema: Option<&'a Value>,
    pub(super) description: Option<&'a str>,
    pub(super) encodings: BTreeMap<String, Encoding>,
}

/// Selects the media type that is easiest to make, of those that an operation accepts.
pub(super) fn media<'a>(document: &'a Document, operation: &'a Value) -> Result<Option<Media<'a>>, Unusable> {
    let Some(body) = operation.get("requestBody") else { return Ok(None) };
    let body = resolve(document.root(), body)?;
    let content = body.get("content").and_then(Value::as_object).ok_or(Unusable::Shape("body"))?;
    let is_required = body.get("required").and_then(Value::as_bool).unwrap_or(false);
    let found = content.iter().filter_map(|(mime, media)| Some((of_mime(mime)?, mime, media)));
    let order = |kind: MediaKind| {
        let all =
            [MediaKind::Json, MediaKind::Form, MediaKind::Multipart, MediaKind::Text, MediaKind::Binary];
        all.iter().position(|of| *of == kind)
    };
    // `application/json` before its variants.
    let best = found.min_by_key(|(kind, mime, _)| (order(*kind), mime.len()));
    let Some((kind, mime, media)) = best else {
        if !is_required {
            return Ok(None);
        }
        let mimes: Vec<&str> = content.keys().take(limits::QUOTED_MEDIA_TYPES).map(String::as_str).collect();
        return Err(Unusable::Body(mimes.join(", ")));
    };
    let schema = media.get("schema");
    let kind = match schema.map(|schema| resolve(document.root(), schema)).transpose()? {
        // "The payload is transferred as text."
        Some(schema) if kind == MediaKind::Binary && is_base64(schema) => MediaKind::Text,
        _ => kind,
    };
    let encodings = encodings(document, schema, media.get("encoding"))?;
    let description = body.get("description").and_then(Value::as_str);
    Ok(Some(Media { kind, mime, is_required, schema, description, encodings }))
}

fn of_mime(mime: &str) -> Option<MediaKind> {
    let is_plain = mime.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !is_plain || essence.contains('*') {
        return None;
    }
    Some(match essence.as_str() {
        "application/x-www-form-urlencoded" => MediaKind::Form,
        "multipart/form-data" => MediaKind::Multipart,
        mime => match kind(mime) {
            BodyKind::Json => MediaKind::Json,
            BodyKind::Text => MediaKind::Text,
            _ if mime.starts_with("multipart/") => return None,
            _ => MediaKind::Binary,
        },
    })
}

fn encodings(
    document: &Document,
    schema: Option<&Value>,
    said: Option<&Value>,
) -> Result<BTreeMap<String, Encoding>, Unusable> {
    let mut all: BTreeMap<String, Encoding> = BTreeMap::new();
    for (name, property) in members(document, schema)? {
        let property = resolve(document.root(), property)?;
        let item = property.get("items").map(|items| resolve(document.root(), items)).transpose()?;
        let either = |is_it: fn(&Value) -> bool| is_it(property) || item.is_some_and(is_it);
        let (is_binary, is_base64) = (either(is_binary), either(is_base64));
        if is_binary || is_base64 {
            all.insert(name.clone(), Encoding { is_binary, is_base64, ..Encoding::default() });
        }
    }
    for (name, encoding) in said.and_then(Value::as_object).into_iter().flatten() {
        let text = |member| encoding.get(member).and_then(Value::as_str);
        let entry = all.entry(name.clone()).or_default();
        entry.style = match text("style") {
            Some("form") => Some(Style::Form),
            Some("spaceDelimited") => Some(Style::SpaceDelimited),
            Some("pipeDelimited") => Some(Style::PipeDelimited),
            Some("deepObject") => Some(Style::DeepObject),
            _ => None,
        };
        entry.explode = encoding.get("explode").and_then(Value::as_bool);
        // The first of several; one that can't be in a header is ignored.
        let mime = text("contentType").and_then(|mimes| mimes.split(',').next()).map(str::trim);
        entry.mime = mime
            .filter(|mime| !mime.contains('*') && mime.bytes().all(|byte| matches!(byte, b' '..=b'~')))
            .map(str::to_owned);
    }
    Ok(all)
}

/// The members that a schema and the schemas that it is composed of name.
fn members<'a>(
    document: &'a Document,
    schema: Option<&'a Value>,
) -> Result<Vec<(&'a String, &'a Value)>, Unusable> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut left: Vec<&Value> = schema.into_iter().collect();
    while let Some(schema) = left.pop() {
        let schema = resolve(document.root(), schema)?;
        if !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        found.extend(schema.get("properties").and_then(Value::as_object).into_iter().flatten());
        let composed =
            ["allOf", "anyOf", "oneOf"].iter().filter_map(|keyword| schema.get(*keyword)?.as_array());
        left.extend(composed.flatten());
    }
    Ok(found)
}

/// Whether a schema describes raw bytes, so that the argument is their base64. OpenAPI 3.0 uses `format` for that, 3.1 a media type that is
/// not a text's, without an encoding (OpenAPI 3.1.1, Working with Binary Data).
pub(super) fn is_binary(schema: &Value) -> bool {
    let text = |member| schema.get(member).and_then(Value::as_str);
    let is_of_bytes = |mime: &str| {
        // A text can contain JSON, or have another text type.
        schema.get("type").is_none() || !matches!(kind(mime), BodyKind::Json | BodyKind::Text)
    };
    let is_said =
        schema.get("contentEncoding").is_none() && text("contentMediaType").is_some_and(is_of_bytes);
    text("format") == Some("binary") && !is_base64(schema) || is_said
}

/// Whether a schema describes base64 text, which is sent as it is.
pub(super) fn is_base64(schema: &Value) -> bool {
    let encoding = schema.get("contentEncoding").and_then(Value::as_str);
    encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"))
}

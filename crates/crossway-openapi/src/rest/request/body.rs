//! Builds request bodies from arguments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::super::operation::{Body, Fields, MediaKind, Style};
use super::multipart::{Multipart, Part};
use super::style::{Query, text};
use super::{BadArguments, multipart};

/// Makes the body of a request, and sets its `Content-Type`. An optional body without arguments is left out.
pub(super) fn body(
    body: &Body,
    mut arguments: Map<String, Value>,
    headers: &mut HeaderMap,
) -> Result<Bytes, BadArguments> {
    let value = match &body.fields {
        Fields::Whole(argument) => match arguments.remove(argument) {
            Some(value) => (argument.as_str(), value),
            None if body.is_required => return Err(BadArguments::Missing(argument.clone())),
            None => return Ok(Bytes::new()),
        },
        Fields::Members(members) => {
            let given = members
                .iter()
                .filter_map(|(argument, name)| arguments.remove(argument).map(|value| (name.clone(), value)));
            let given: Map<String, Value> = given.collect();
            if given.is_empty() && !body.is_required {
                return Ok(Bytes::new());
            }
            ("body", given.into())
        }
    };
    let (argument, value) = value;
    let (mime, bytes) = match body.kind {
        MediaKind::Json => (body.mime.clone(), value.to_string().into()),
        MediaKind::Form => (body.mime.clone(), form(body, argument, &value)?.into_body().into()),
        MediaKind::Multipart => {
            let multipart = parts(body, argument, &value)?;
            (multipart.mime(), multipart.into_bytes())
        }
        MediaKind::Text => (body.mime.clone(), text(&value).into()),
        MediaKind::Binary => (body.mime.clone(), bytes_of(argument, &value)?),
    };
    let mime = HeaderValue::from_str(&mime).map_err(|_| BadArguments::Header("body".to_owned()))?;
    headers.insert(header::CONTENT_TYPE, mime);
    Ok(bytes)
}

fn members<'a>(argument: &str, value: &'a Value) -> Result<&'a Map<String, Value>, BadArguments> {
    let wanted = "an object";
    value.as_object().ok_or_else(|| BadArguments::Kind { name: argument.to_owned(), wanted })
}

/// `application/x-www-form-urlencoded`: a list is repeated members and an object is JSON, unless the document says otherwise
/// (OpenAPI 3.1.1, Encoding Object).
fn form(body: &Body, argument: &str, value: &Value) -> Result<Query, BadArguments> {
    let mut query = Query::new();
    for (name, value) in members(argument, value)?.iter().filter(|(_, value)| !value.is_null()) {
        let encoding = body.encodings.get(name).cloned().unwrap_or_default();
        match (encoding.style, value) {
            (None, Value::Object(_)) => query.member(name, &value.to_string()),
            (style, value) => {
                let style = style.unwrap_or(Style::Form);
                let explode = encoding.explode.unwrap_or(style == Style::Form);
                query.add(style, explode, name, name, value)?;
            }
        }
    }
    Ok(query)
}

/// `multipart/form-data`: one part for each member, or for each element of a list; objects are JSON.
fn parts(body: &Body, argument: &str, value: &Value) -> Result<Multipart, BadArguments> {
    let mut multipart = Multipart::new();
    for (name, value) in members(argument, value)?.iter().filter(|(_, value)| !value.is_null()) {
        let encoding = body.encodings.get(name).cloned().unwrap_or_default();
        let each = match value {
            Value::Array(list) => list.iter().collect(),
            value => vec![value],
        };
        for value in each {
            let mime = encoding.mime.as_deref();
            let bytes = mime.or(Some(multipart::BYTES));
            if encoding.is_binary {
                let part = Part { mime: bytes, is_file: true, is_base64: false };
                multipart.add(name, part, &bytes_of(name, value)?);
            } else if value.is_object() || value.is_array() {
                let part = Part { mime: mime.or(Some("application/json")), ..Part::default() };
                multipart.add(name, part, value.to_string().as_bytes());
            } else if encoding.is_base64 {
                let part = Part { mime: bytes, is_file: true, is_base64: true };
                multipart.add(name, part, text(value).as_bytes());
            } else {
                multipart.add(name, Part { mime, ..Part::default() }, text(value).as_bytes());
            }
        }
    }
    Ok(multipart.finished())
}

fn bytes_of(argument: &str, value: &Value) -> Result<Bytes, BadArguments> {
    let bytes = value.as_str().and_then(|text| STANDARD.decode(text.trim()).ok());
    let wanted = "base64";
    bytes.map(Bytes::from).ok_or_else(|| BadArguments::Kind { name: argument.to_owned(), wanted })
}

//! Parameters of operations.

use std::collections::BTreeMap;

use http::HeaderName;
use serde_json::Value;

use super::super::document::{Document, resolve};
use super::super::limits;
use super::super::security::{Schemes, SecurityPlace};
use super::{Parameter, Place, Style, Template, Unusable};
use crate::calling::credentials::is_framing;

/// A parameter and its description.
pub(super) struct Described<'a> {
    pub(super) parameter: Parameter,
    /// `None` if the document gives none.
    pub(super) schema: Option<&'a Value>,
    pub(super) description: Option<&'a str>,
}

/// The parameters of an operation: its own, and those of its path that it does not override ("These parameters can be overridden at
/// the operation level"; OpenAPI 3.1.1, Path Item Object).
pub(super) fn parameters<'a>(
    document: &'a Document,
    item: &'a Value,
    operation: &'a Value,
    path: &Template,
    schemes: &Schemes,
) -> Result<Vec<Described<'a>>, Unusable> {
    let mut found: BTreeMap<(&str, &str), &'a Value> = BTreeMap::new();
    for of in [item, operation] {
        let list = match of.get("parameters") {
            None | Some(Value::Null) => continue,
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Unusable::Shape("list of parameters")),
        };
        for node in list {
            let node = resolve(document.root(), node)?;
            let text = |member| node.get(member).and_then(Value::as_str);
            let (Some(name), Some(place)) = (text("name"), text("in")) else {
                return Err(Unusable::Shape("list of parameters"));
            };
            found.insert((place, name), node);
            if found.len() > limits::PARAMETERS {
                return Err(Unusable::TooManyParameters);
            }
        }
    }
    let mut parameters = Vec::new();
    // The path's parameters first, then by place and name.
    let order = |place: &str| ["path", "query", "header", "cookie"].iter().position(|of| *of == place);
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|((place, name), _)| (order(place), *name));
    for ((place, name), node) in found {
        parameters.extend(parameter(place, name, node, path, schemes)?);
    }
    for name in path.parameters() {
        let is_there = |of: &Described<'_>| of.parameter.place == Place::Path && of.parameter.name == name;
        if !parameters.iter().any(is_there) {
            // Some documents forget to describe a path parameter.
            let why = "is in its path, and is described nowhere";
            return Err(Unusable::Parameter { name: name.to_owned(), why });
        }
    }
    Ok(parameters)
}

/// Makes a parameter; `None` for one that is not an argument.
fn parameter<'a>(
    place: &str,
    name: &str,
    node: &'a Value,
    path: &Template,
    schemes: &Schemes,
) -> Result<Option<Described<'a>>, Unusable> {
    let bad = |why| Unusable::Parameter { name: name.chars().take(limits::QUOTED_NAME_CHARS).collect(), why };
    let flag = |member| node.get(member).and_then(Value::as_bool);
    let is_required = flag("required").unwrap_or(false);
    let place = match place {
        "path" if path.parameters().any(|of| of == name) => Place::Path,
        // Not in the path's template.
        "path" => return Ok(None),
        "query" if schemes.has(&SecurityPlace::Query(name.to_owned())) => return Ok(None),
        "query" => Place::Query,
        "header" => match header(name, schemes) {
            Header::Given => return Ok(None),
            Header::Free(name) => Place::Header(name),
            Header::Bad if is_required => return Err(bad("is a header that can't be set")),
            Header::Bad => return Ok(None),
        },
        "cookie" if schemes.has(&SecurityPlace::Cookie(name.to_owned())) => return Ok(None),
        "cookie" if is_cookie_name(name) => Place::Cookie,
        "cookie" if is_required => return Err(bad("is a cookie with a name that can't be sent")),
        "cookie" => return Ok(None),
        _ => return Err(bad("is in no place that there is")),
    };
    let (schema, is_json) = match (node.get("schema"), node.get("content")) {
        (Some(schema), _) => (Some(schema), false),
        (None, Some(Value::Object(content))) if content.len() == 1 => {
            let Some((mime, media)) = content.iter().next() else { return Ok(None) };
            if crate::calling::kind(mime) != crate::calling::BodyKind::Json {
                return Err(bad("is not JSON"));
            }
            (media.get("schema"), true)
        }
        (None, None) => (None, false),
        _ => return Err(bad("has no schema")),
    };
    let is_query = place == Place::Query;
    let is_form = is_query || place == Place::Cookie;
    let style = match node.get("style").and_then(Value::as_str) {
        None if is_form => Style::Form,
        None => Style::Simple,
        Some("simple") if !is_form => Style::Simple,
        Some("label") if place == Place::Path => Style::Label,
        Some("matrix") if place == Place::Path => Style::Matrix,
        Some("form") if is_form => Style::Form,
        Some("spaceDelimited") if is_query => Style::SpaceDelimited,
        Some("pipeDelimited") if is_query => Style::PipeDelimited,
        Some("deepObject") if is_query => Style::DeepObject,
        Some(_) => return Err(bad("has a style that is not made here")),
    };
    let explode = flag("explode").unwrap_or(style == Style::Form);
    let is_required = is_required || place == Place::Path;
    let parameter = Parameter { name: name.to_owned(), place, style, explode, is_required, is_json };
    Ok(Some(Described { parameter, schema, description: node.get("description").and_then(Value::as_str) }))
}

/// Whether a cookie can have this name: a token (RFC 6265, section 4.1.1) of characters that are sent unencoded.
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

enum Header {
    /// Set by credentials, or on every request.
    Given,
    Free(HeaderName),
    Bad,
}

fn header(name: &str, schemes: &Schemes) -> Header {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return Header::Bad };
    // "If in is "header" and the name field is "Accept", "Content-Type" or "Authorization", the parameter definition SHALL be ignored"
    // (OpenAPI 3.1.1, Parameter Object).
    let ignored = ["accept", "content-type", "authorization", "user-agent"];
    if ignored.contains(&name.as_str()) || schemes.has(&SecurityPlace::Header(name.as_str().to_owned())) {
        return Header::Given;
    }
    let is_public = ["cookie", "proxy-authorization", "forwarded", "origin", "referer"]
        .contains(&name.as_str())
        || name.as_str().starts_with("x-forwarded-");
    if is_framing(&name) || is_public { Header::Bad } else { Header::Free(name) }
}

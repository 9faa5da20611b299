//! Builds HTTP requests from a tool's arguments.

mod body;
mod check;
mod error;
mod multipart;
mod style;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

pub(super) use check::checked;
pub(super) use error::BadArguments;

use super::limits;
use super::operation::{Operation, Parameter, Piece, Place, Style};
use crate::calling::{Attached, Outgoing, USER_AGENT};
use style::{Query, expanded, headed, percent};

const ACCEPT: HeaderValue = HeaderValue::from_static("application/json, */*;q=0.8");

/// Builds the request of a call.
///
/// Each argument goes where its parameter says and nowhere else: a value can't end a path segment, a query member, a header or a cookie,
/// whatever it contains. Arguments can't fill the places of credentials.
pub(super) fn request(
    operation: &Operation,
    base: &str,
    attached: &Attached,
    mut arguments: Map<String, Value>,
) -> Result<Outgoing, BadArguments> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::ACCEPT, ACCEPT);
    headers.insert(header::USER_AGENT, USER_AGENT);
    let mut url = String::with_capacity(base.len() + 128);
    url.push_str(base);
    path(operation, &arguments, &mut url)?;
    let (mut query, mut cookies) = (Query::new(), Query::cookies());
    for (argument, parameter) in &operation.parameters {
        let value = arguments.remove(argument).filter(|value| !value.is_null());
        let is_attached = match &parameter.place {
            Place::Query => attached.has_query(&parameter.name),
            Place::Cookie => attached.has_cookie(&parameter.name),
            // Attached headers replace those of arguments.
            _ => false,
        };
        if is_attached {
            continue;
        }
        let Some(value) = value else {
            if parameter.is_required {
                return Err(BadArguments::Missing(argument.clone()));
            }
            continue;
        };
        let value = if parameter.is_json { Value::String(value.to_string()) } else { value };
        match &parameter.place {
            Place::Path => {}
            Place::Query => {
                query.add(parameter.style, parameter.explode, argument, &parameter.name, &value)?
            }
            Place::Header(name) => {
                let value = headed(&value, parameter.explode, argument)?;
                headers.insert(name.clone(), value);
            }
            Place::Cookie => {
                cookies.add(parameter.style, parameter.explode, argument, &parameter.name, &value)?
            }
        }
    }
    query.refuse(|name| attached.has_query(name))?;
    cookies.refuse(|name| attached.has_cookie(name))?;
    for (name, value) in attached.query_members() {
        query.member(name, value);
    }
    query.put(&mut url);
    if url.len() > limits::URL_BYTES {
        return Err(BadArguments::TooLong);
    }
    let body = match &operation.body {
        Some(body) => body::body(body, arguments, &mut headers)?,
        None => Bytes::new(),
    };
    attached.put_headers(&mut headers);
    cookies.put_cookies(&mut headers)?;
    let uri = url.parse().map_err(|_| BadArguments::TooLong)?;
    Ok(Outgoing { method: operation.method.clone(), uri, headers, body })
}

/// Appends the path with its parameters filled in.
///
/// Delimiters in values are encoded. A path with a decoded segment `.` or `..` is refused: servers and proxies that decode a path before
/// they split it would end up elsewhere, and many treat `%2E%2E` as `..`.
fn path(operation: &Operation, arguments: &Map<String, Value>, url: &mut String) -> Result<(), BadArguments> {
    let begin = url.len();
    let mut ends: Vec<(usize, &str)> = Vec::new();
    for piece in &operation.path.0 {
        let name = match piece {
            Piece::Text(text) => {
                url.push_str(text);
                continue;
            }
            Piece::Parameter(name) => name,
        };
        let is_it = |of: &(&String, &Parameter)| of.1.place == Place::Path && of.1.name == *name;
        let Some((argument, parameter)) = operation.parameters.iter().find(is_it) else {
            return Err(BadArguments::Missing(name.clone()));
        };
        let value = arguments.get(argument).filter(|value| !value.is_null());
        let value = value.ok_or_else(|| BadArguments::Missing(argument.clone()))?;
        let value = if parameter.is_json { &Value::String(value.to_string()) } else { value };
        let text = expanded(parameter.style, parameter.explode, name, value, percent);
        if text.is_empty() || (parameter.style == Style::Label && text == ".") {
            return Err(BadArguments::Empty(argument.clone()));
        }
        url.push_str(&text);
        ends.push((url.len(), argument));
    }
    // Checked as a whole: adjacent pieces may form a dot segment together.
    let mut end = begin;
    for segment in url[begin..].split('/') {
        if leads_elsewhere(&percent_decode_str(segment).decode_utf8_lossy()) {
            let argument = ends.iter().find(|(of, _)| *of > end).map_or("path", |(_, argument)| argument);
            return Err(BadArguments::Dots(argument.to_owned()));
        }
        end += segment.len() + 1;
    }
    Ok(())
}

/// Whether a text has a segment `.` or `..`. `..;a` counts too: servers that know matrix parameters strip these first.
fn leads_elsewhere(text: &str) -> bool {
    text.split(['/', '\\']).any(|part| matches!(part.split(';').next(), Some("." | "..")))
}

#[cfg(test)]
mod tests;

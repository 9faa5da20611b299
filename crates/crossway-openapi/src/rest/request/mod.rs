//! Requests, made of a tool's arguments.

mod body;
mod check;
mod error;
mod multipart;
mod style;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use serde_json::{Map, Value};

pub(super) use check::checked;
pub(super) use error::BadArguments;

use super::limits;
use super::operation::{Operation, Parameter, Piece, Place};
use crate::calling::{Attached, Outgoing, USER_AGENT};
use style::{Query, headed, percent, simple};

const ACCEPT: HeaderValue = HeaderValue::from_static("application/json, */*;q=0.8");

/// Makes the request of a call.
///
/// Each argument goes where its parameter says and nowhere else: a value ends neither a path's segment nor a member of the query nor
/// a header, whatever is in it. What credentials fill, arguments do not.
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
    let mut query = Query::default();
    for (argument, parameter) in &operation.parameters {
        let value = arguments.remove(argument).filter(|value| !value.is_null());
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
        }
    }
    query.refuse(|name| attached.has_query(name))?;
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
    let uri = url.parse().map_err(|_| BadArguments::TooLong)?;
    Ok(Outgoing { method: operation.method.clone(), uri, headers, body })
}

/// Fills a path in.
///
/// A slash in a value is encoded. A value that has `.` or `..` between slashes is refused: servers and proxies that decode a path
/// before they take it apart would be led elsewhere, and `%2E%2E` is as good as `..` to many.
fn path(operation: &Operation, arguments: &Map<String, Value>, url: &mut String) -> Result<(), BadArguments> {
    let begin = url.len();
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
        let before = url.len();
        let text = simple(value, parameter.explode, &mut |part, out| {
            if part.split(['/', '\\']).any(|part| part == "." || part == "..") {
                return Err(BadArguments::Dots(argument.clone()));
            }
            percent(part, out);
            Ok(())
        })?;
        url.push_str(&text);
        if url.len() == before {
            return Err(BadArguments::Empty(argument.clone()));
        }
    }
    // What stands side by side may make one of what neither is.
    if url[begin..].split('/').any(|segment| segment == "." || segment == "..") {
        return Err(BadArguments::Dots("path".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

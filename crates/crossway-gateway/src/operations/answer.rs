//! Responses of the operations listener.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

pub(super) type Answer = Response<Full<Bytes>>;

/// The body of an error response.
#[derive(Serialize)]
struct Wrong<'a> {
    error: &'a str,
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => with(status, "application/json", text.into()),
        Err(_) => wrong(StatusCode::INTERNAL_SERVER_ERROR, "the answer can't be written as JSON"),
    }
}

pub(super) fn text(content_type: &'static str, text: String) -> Answer {
    with(StatusCode::OK, content_type, text.into())
}

pub(super) fn wrong(status: StatusCode, error: &str) -> Answer {
    let text = serde_json::to_vec(&Wrong { error }).unwrap_or_default();
    with(status, "application/json", text.into())
}

/// A 405 response, which has to list the allowed methods (RFC 9110, section 15.5.6).
pub(super) fn not_allowed(allow: &'static str) -> Answer {
    let mut answer = wrong(StatusCode::METHOD_NOT_ALLOWED, &format!("the method here is {allow}"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    answer
}

/// A 401 response, which has to contain a challenge (RFC 9110, section 15.5.2).
pub(super) fn unauthorized(error: &str) -> Answer {
    let mut answer = wrong(StatusCode::UNAUTHORIZED, error);
    answer
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="crossway operations""#));
    answer
}

fn with(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

//! What browsers are told about other origins' pages (the Fetch standard, CORS protocol).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use super::Body;

/// The origin of a page that may read the answer.
#[derive(Debug, Clone)]
pub(crate) struct Reader(Option<HeaderValue>);

impl Reader {
    /// Of a request whose origin is allowed.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self(parts.headers.get(ORIGIN).cloned())
    }

    /// Lets the page read an answer. Never with credentials that its browser adds by itself.
    pub(crate) fn may_read(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = &self.0 {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
    }
}

/// The answer to a browser's question whether a page may make a request, if this is one.
pub(crate) fn preflight(parts: &Parts) -> Option<Response<Body>> {
    let is_asked = parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !is_asked {
        return None;
    }
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, authorization, content-type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(response)
}

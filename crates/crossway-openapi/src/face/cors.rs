//! CORS headers of responses.

use crossway_proto::http_rules::CorsOrigin;
use http::header::VARY;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::Body;

/// The methods that the face has.
const METHODS: &str = "GET, POST";

/// The page that may read the answer.
#[derive(Debug, Clone)]
pub(crate) struct Reader(CorsOrigin);

impl Reader {
    /// Of a request whose origin is allowed.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self(CorsOrigin::allowed(&parts.headers))
    }

    /// Lets the page read an answer.
    pub(crate) fn allow(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        if !self.0.is_there() {
            // Documents are kept by caches, which must not show a page what was told to none.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        self.0.allow(headers);
    }

    /// The answer to a browser's question whether the page may make a request, if this is one.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Response<Body>> {
        let headers = self.0.preflight(&parts.method, &parts.headers, METHODS)?;
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = headers;
        Some(response)
    }
}

//! CORS headers of responses.

use crossway_proto::http_rules::CorsOrigin;
use http::header::VARY;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::Body;

/// The methods of the face.
const METHODS: &str = "GET, POST";

/// The web page that may read the answer.
#[derive(Debug, Clone)]
pub(crate) struct Reader(CorsOrigin);

impl Reader {
    /// The page behind a request whose origin is allowed.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self(CorsOrigin::allowed(&parts.headers))
    }

    /// Lets the page read an answer.
    pub(crate) fn allow(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        if !self.0.is_there() {
            // Caches keep documents; without `Vary` they would give a page an answer that lacks its CORS headers.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        self.0.allow(headers);
    }

    /// Returns the answer to a CORS preflight request, if this is one.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Response<Body>> {
        let headers = self.0.preflight(&parts.method, &parts.headers, METHODS)?;
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = headers;
        Some(response)
    }
}

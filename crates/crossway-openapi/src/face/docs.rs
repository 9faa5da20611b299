//! The `/docs` page: three files that load nothing from other hosts.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response};
use http_body_util::Full;

use super::Body;
use super::route::Asset;

/// The page may load its own two files, read the document, call the tools and show the images in their answers. A script in a tool's
/// description does not run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; media-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns a file of the page.
pub(crate) fn serve(asset: Asset) -> Response<Body> {
    let (kind, text) = match asset {
        Asset::Page => ("text/html; charset=utf-8", include_str!("page/docs.html")),
        Asset::Script => ("text/javascript; charset=utf-8", include_str!("page/app.js")),
        Asset::Style => ("text/css; charset=utf-8", include_str!("page/app.css")),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

//! Validates the POST URL in the server's `endpoint` event.

use http::uri::PathAndQuery;
use url::{Position, Url};

use super::error::OpenError;

/// Resolves the URI of the `endpoint` event against the stream's URL (2024-11-05, basic/transports: "the server
/// **MUST** send an `endpoint` event containing a URI for the client to use for sending messages").
///
/// Each POST carries the upstream's credentials, so the URI must be of the stream's own origin.
pub(super) fn resolve(stream: &Url, uri: &[u8]) -> Result<Url, OpenError> {
    let uri = std::str::from_utf8(uri).map_err(|error| OpenError::InvalidEndpoint(error.into()))?;
    let endpoint = stream.join(uri.trim()).map_err(|error| OpenError::InvalidEndpoint(error.into()))?;
    if endpoint.origin() != stream.origin() {
        return Err(OpenError::ForeignEndpoint(endpoint.origin().ascii_serialization()));
    }
    Ok(endpoint)
}

/// The path and query for the request line.
pub(super) fn path_of(url: &Url) -> Result<PathAndQuery, OpenError> {
    let path = &url[Position::BeforePath..Position::AfterQuery];
    path.parse().map_err(|error: http::uri::InvalidUri| OpenError::InvalidEndpoint(error.into()))
}

/// The target of a redirect, if it is within the origin.
pub(super) fn redirect(from: &Url, location: Option<&http::HeaderValue>) -> Result<Url, OpenError> {
    let location = location.and_then(|location| location.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok()).ok_or(OpenError::Redirect("nowhere"))?;
    if to.origin() != from.origin() {
        return Err(OpenError::Redirect("to another origin; that is refused"));
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(stream: &str, uri: &str) -> Result<String, OpenError> {
        let url = resolve(&Url::parse(stream).unwrap(), uri.as_bytes())?;
        Ok(path_of(&url)?.to_string())
    }

    #[test]
    fn endpoints_are_resolved_against_the_streams_url() {
        for (uri, path) in [
            ("/message?sessionId=1", "/message?sessionId=1"),
            ("message?sessionId=1", "/a/message?sessionId=1"),
            ("./messages/", "/a/messages/"),
            ("../m", "/m"),
            ("?sessionId=1", "/a/sse?sessionId=1"),
            (" /message \n", "/message"),
            ("http://h:80/m", "/m"),
            ("//h/m", "/m"),
            ("/m?x=é", "/m?x=%C3%A9"),
        ] {
            assert_eq!(resolved("http://h/a/sse?key=k", uri).unwrap(), path, "{uri}");
        }
    }

    #[test]
    fn an_endpoint_of_another_origin_is_refused() {
        for uri in [
            "http://other/m",
            "https://h/m",
            "http://h:81/m",
            "//other/m",
            "http://h@other/m",
            "ftp://h/m",
            "\\\\other\\m",
        ] {
            assert!(matches!(resolved("http://h/sse", uri), Err(OpenError::ForeignEndpoint(_))), "{uri}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for uri in ["http://", "http://[", "http://h:x/"] {
            assert!(matches!(resolved("http://h/sse", uri), Err(OpenError::InvalidEndpoint(_))), "{uri}");
        }
        assert!(resolve(&Url::parse("http://h/sse").unwrap(), b"/\xff").is_err());
    }
}

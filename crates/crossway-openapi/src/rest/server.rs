//! The base URL of an API.

use serde_json::Value;
use url::Url;

use super::document::Document;
use super::limits;

/// Why an API's base URL can't be determined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The document names no server.
    #[error("it says nowhere which server the API is on; say it with `server`")]
    None,
    /// The server's URL is invalid.
    #[error("{0:?} can't be the URL of a server: {1}")]
    NoUrl(String, &'static str),
    /// A fetched document names a server of another origin.
    #[error(
        "it was fetched from another origin than {0}, where its API is said to be, and credentials would go there; say `server` if that \
         is meant"
    )]
    Elsewhere(String),
}

/// The base URL of a document's paths, without a slash at its end.
///
/// `said` overrides the document. A document that was fetched from `from` may only name its own origin: whoever can change the document
/// must not choose where credentials go.
pub(super) fn base(
    document: &Document,
    said: Option<&str>,
    from: Option<&Url>,
) -> Result<String, ServerError> {
    if let Some(said) = said {
        return check(said, Url::parse(said).ok());
    }
    let Some(server) = document.root().pointer("/servers/0") else {
        return from.map_or(Err(ServerError::None), |from| check(from.as_str(), from.join("/").ok()));
    };
    let text = with_defaults(server).ok_or(ServerError::None)?;
    let url = match from {
        Some(from) => from.join(&text).ok(),
        None => Url::parse(&text).ok(),
    };
    if url.is_none() && from.is_none() {
        // A relative URL, in a document that was read from a file.
        return Err(ServerError::None);
    }
    if let (Some(url), Some(from)) = (&url, from)
        && url.origin() != from.origin()
    {
        return Err(ServerError::Elsewhere(url.origin().ascii_serialization()));
    }
    check(&text, url)
}

fn check(text: &str, url: Option<Url>) -> Result<String, ServerError> {
    let bad = |why| ServerError::NoUrl(text.chars().take(limits::QUOTED_URL_CHARS).collect(), why);
    let url = url.ok_or_else(|| bad("it is not one"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad("it has to begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ServerError::NoUrl(String::new(), "it has a user or a password in it"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it has a query or a fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A server's URL with its variables replaced by their defaults (OpenAPI 3.1.1, Server Object).
fn with_defaults(server: &Value) -> Option<String> {
    let template = server.get("url")?.as_str()?;
    let (mut url, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        url.push_str(before);
        url.push_str(server.get("variables")?.get(name)?.get("default")?.as_str()?);
        rest = after;
    }
    url.push_str(rest);
    Some(url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(servers: Value, said: Option<&str>, from: Option<&str>) -> Result<String, ServerError> {
        let text = json!({ "openapi": "3.0.0", "paths": {}, "servers": servers }).to_string();
        let from = from.map(|from| Url::parse(from).unwrap());
        base(&Document::parse(text.as_bytes()).unwrap(), said, from.as_ref())
    }

    #[test]
    fn what_is_said_counts_and_then_the_documents_first_server() {
        let servers =
            json!([{ "url": "https://api.example/{v}/", "variables": { "v": { "default": "1" } } }, {}]);
        assert_eq!(found(servers.clone(), None, None).unwrap(), "https://api.example/1");
        assert_eq!(found(servers, Some("http://127.0.0.1:9/x/"), None).unwrap(), "http://127.0.0.1:9/x");
        let from = Some("https://api.example/docs/openapi.json");
        assert_eq!(found(json!([{ "url": "../v2" }]), None, from).unwrap(), "https://api.example/v2");
        assert_eq!(found(json!([]), None, from).unwrap(), "https://api.example");
    }

    #[test]
    fn a_document_that_was_fetched_does_not_choose_another_origin() {
        let servers = json!([{ "url": "https://evil.example/" }]);
        let from = Some("https://api.example/openapi.json");
        let error = found(servers.clone(), None, from).unwrap_err();
        assert_eq!(error, ServerError::Elsewhere("https://evil.example".to_owned()));
        assert_eq!(found(servers, Some("https://api.example"), from).unwrap(), "https://api.example");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for (server, wanted) in [
            (json!([]), "say it with `server`"),
            (json!([{ "url": "/v1" }]), "say it with `server`"),
            (json!([{ "url": "https://{x}/" }]), "say it with `server`"),
            (json!([{ "url": "ftp://h/" }]), "it has to begin with http"),
            (json!([{ "url": "https://u:secret@h/" }]), "it has a user or a password"),
            (json!([{ "url": "https://h/?a=b" }]), "it has a query"),
        ] {
            let error = found(server, None, None).unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains("secret"), "{error}");
        }
    }
}

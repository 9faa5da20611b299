//! Protected resource metadata (RFC 9728): tells clients where to get a token, as MCP requires (2025-11-25 and
//! 2026-07-28, Authorization).

use std::fmt::Write as _;

use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::config::JwtConfig;
use crate::faces::endpoint;
use crate::identity::error::IdentityError;
use crate::identity::refusal::{Credential, Flaw, Refusal};

/// The path of the metadata of a resource without a path; a resource's path is appended to it (RFC 9728, section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The metadata of this server as a protected resource.
#[derive(Debug)]
pub(in crate::identity) struct Metadata {
    /// The scheme and authority.
    origin: String,
    authorization_servers: Vec<String>,
    scopes: Vec<String>,
}

impl Metadata {
    /// Returns `None` if `resource`, this server's URL for clients, is not configured.
    pub(super) fn new(config: &JwtConfig) -> Result<Option<Self>, IdentityError> {
        super::names("authorization_servers", &config.authorization_servers)?;
        let Some(resource) = &config.resource else { return Ok(None) };
        let servers = match &config.authorization_servers[..] {
            [] => vec![config.issuer.clone()],
            servers => servers.to_vec(),
        };
        if let Some(bad) = servers.iter().find(|server| web_url(server).is_none()) {
            return Err(IdentityError::NotAServer(bad.clone()));
        }
        let bad = || IdentityError::BadResource;
        let url =
            web_url(resource).filter(|url| url.path() == "/" && url.query().is_none()).ok_or_else(bad)?;
        let origin = url.origin().ascii_serialization();
        Ok(Some(Self { origin, authorization_servers: servers, scopes: config.scopes.clone() }))
    }

    /// Returns the response for a path, if it is a metadata path.
    ///
    /// The response is the same whether or not an endpoint exists, so that unauthenticated clients can't find out which do.
    pub(in crate::identity) fn at(&self, method: &Method, path: &str) -> Option<(StatusCode, String)> {
        let path = path.strip_prefix(WELL_KNOWN)?;
        let resource = match path {
            "" | "/" => String::new(),
            path => endpoint(path)?,
        };
        if method != Method::GET && method != Method::HEAD {
            return Some((StatusCode::METHOD_NOT_ALLOWED, String::new()));
        }
        let mut document = json!({
            "resource": format!("{}{resource}", self.origin),
            "authorization_servers": self.authorization_servers,
            "bearer_methods_supported": ["header"],
        });
        if !self.scopes.is_empty() {
            document["scopes_supported"] = json!(self.scopes);
        }
        Some((StatusCode::OK, document.to_string()))
    }
}

/// Returns the `WWW-Authenticate` challenge for a refused request to a path (RFC 6750, section 3; RFC 9728, section 5.1).
pub(in crate::identity) fn challenge(
    metadata: Option<&Metadata>,
    refusal: &Refusal,
    path: &str,
) -> HeaderValue {
    let mut parameters = Vec::new();
    // "If the request lacks any authentication information [..], the resource server SHOULD NOT include an error code".
    let error = match refusal {
        Refusal::NotAccepted(Credential::Token, flaw) if *flaw != Flaw::NotBearer => Some("invalid_token"),
        Refusal::LacksScope => Some("insufficient_scope"),
        _ => None,
    };
    parameters.extend(error.map(|error| format!("error=\"{error}\"")));
    if let Some(metadata) = metadata {
        if !metadata.scopes.is_empty() {
            parameters.push(format!("scope=\"{}\"", metadata.scopes.join(" ")));
        }
        let path = endpoint(path).unwrap_or_default();
        parameters.push(format!("resource_metadata=\"{}{WELL_KNOWN}{path}\"", metadata.origin));
    }
    let mut text = "Bearer".to_owned();
    for (index, parameter) in parameters.iter().enumerate() {
        let _ = write!(text, "{} {parameter}", if index == 0 { "" } else { "," });
    }
    // Scopes, origins and paths only have characters that are valid here.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}

/// Parses an `http` or `https` URL that has no user and no fragment.
fn web_url(text: &str) -> Option<url::Url> {
    let url = url::Url::parse(text).ok()?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.host().is_some();
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (is_web && is_plain).then_some(url)
}

//! Options of an upstream.

use std::fmt;
use std::sync::Arc;

use crossway_dial::Proxies;
use crossway_proto::Era;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Limits;

/// Options of an upstream.
///
/// ```
/// use crossway_proto::Era;
/// use crossway_streamable_http::client::Options;
///
/// let options = Options::default().era(Era::Legacy).header("Authorization", "Bearer s3cr3t")?;
/// assert!(!format!("{options:?}").contains("s3cr3t"));
/// assert!(Options::default().header("Mcp-Session-Id", "1").is_err());
/// # Ok::<(), crossway_streamable_http::client::OptionsError>(())
/// ```
#[derive(Clone, Default)]
pub struct Options {
    pub(super) headers: HeaderMap,
    pub(super) era: Option<Era>,
    pub(super) limits: Limits,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    pub(super) proxies: Proxies,
    pub(super) keeps_ids: bool,
}

impl Options {
    /// Adds a header to every request: POST, GET and DELETE. Its value is never logged.
    ///
    /// # Errors
    ///
    /// When the name or the value is not valid in a header, or the transport writes the header itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, OptionsError> {
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(OptionsError::HeaderName { name: name.to_owned() });
        };
        if is_reserved(&parsed) {
            return Err(OptionsError::ReservedHeader { name: parsed });
        }
        let Ok(mut value) = HeaderValue::from_bytes(value.as_bytes()) else {
            return Err(OptionsError::HeaderValue { name: parsed });
        };
        value.set_sensitive(true);
        self.headers.append(parsed, value);
        Ok(self)
    }

    /// Adds several headers at once; see [`header`](Self::header).
    ///
    /// # Errors
    ///
    /// When the transport writes one of them itself.
    pub fn headers(mut self, headers: HeaderMap) -> Result<Self, OptionsError> {
        let mut name = None;
        for (next, mut value) in headers {
            // The iterator returns a name only with the first of its values.
            name = next.or(name);
            let Some(name) = name.clone() else { continue };
            if is_reserved(&name) {
                return Err(OptionsError::ReservedHeader { name });
            }
            value.set_sensitive(true);
            self.headers.append(name, value);
        }
        Ok(self)
    }

    /// Sets which revisions the upstream speaks: with [`Era::Legacy`] legacy ones only, with [`Era::Modern`] modern ones and maybe others;
    /// see [`probe`](super::StreamableHttpUpstream::probe).
    ///
    /// Modern requests to a legacy upstream are refused at once, so that clients fall back to `initialize` without a round trip. By default
    /// the era is not known: all messages are passed on, and the upstream decides whether it speaks their revision.
    #[must_use]
    pub fn era(mut self, era: Era) -> Self {
        self.era = Some(era);
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the TLS config, for example with custom roots or a client certificate. Without this, servers are verified
    /// against the platform's roots.
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Leaves the ids and progress tokens of modern requests as their clients gave them.
    ///
    /// Without this, requests on links that clients share ([`Scope::Shared`](crossway_service::Scope::Shared)) get numbers in their place. A
    /// server that answers a request twice can have its second answer read as that to the next request on the connection, and if both have
    /// one id, it reaches another client. Set this where all clients are one person's.
    #[must_use]
    pub fn keep_ids(mut self) -> Self {
        self.keeps_ids = true;
        self
    }

    /// Sets the outgoing proxies. Without this, there are none: the environment is not read.
    ///
    /// The timeout for connecting covers proxy, tunnel and TLS together.
    #[must_use]
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }
}

impl fmt::Debug for Options {
    /// Names the headers and leaves out their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("era", &self.era)
            .field("limits", &self.limits)
            .field("own_tls", &self.tls.is_some())
            .field("proxies", &self.proxies)
            .field("keeps_ids", &self.keeps_ids)
            .finish()
    }
}

/// Headers that the transport writes itself, and those that frame HTTP messages.
fn is_reserved(name: &HeaderName) -> bool {
    const FRAMING: [HeaderName; 10] = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::ACCEPT,
    ];
    FRAMING.contains(name)
        || [
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "last-event-id",
            "keep-alive",
            "expect",
        ]
        .contains(&name.as_str())
        || name.as_str().starts_with("mcp-param-")
}

/// An error in a URL or an option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The URL can't be an MCP endpoint.
    #[error("the URL is not one of an MCP endpoint: {what}")]
    Url {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The name can't be a header's.
    #[error("{name:?} can't be the name of a header")]
    HeaderName {
        /// The name.
        name: String,
    },
    /// The value can't be a header's.
    #[error("the value of the header {name} has characters that can't stand in a header")]
    HeaderValue {
        /// The header's name; its value is kept secret.
        name: HeaderName,
    },
    /// The transport writes this header itself.
    #[error("the header {name} is the transport's own and can't be set")]
    ReservedHeader {
        /// The header's name.
        name: HeaderName,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transports_own_headers_can_not_be_set() {
        for name in [
            "Host",
            "content-type",
            "MCP-Session-Id",
            "Mcp-Param-Region",
            "Last-Event-ID",
            "Transfer-Encoding",
        ] {
            assert!(
                matches!(Options::default().header(name, "x"), Err(OptionsError::ReservedHeader { .. })),
                "{name}"
            );
            let headers =
                HeaderMap::from_iter([(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("x"))]);
            assert!(Options::default().headers(headers).is_err(), "{name}");
        }
    }

    #[test]
    fn what_can_not_stand_in_a_header_is_refused_without_being_repeated() {
        let error = Options::default().header("Authorization", "Bearer s3cr3t\n").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
        assert!(Options::default().header("a b", "x").is_err());
    }

    #[test]
    fn values_are_shown_nowhere() {
        let mut headers = HeaderMap::new();
        headers.append("x-key", HeaderValue::from_static("s3cr3t"));
        headers.append("x-key", HeaderValue::from_static("s3cr3t2"));
        let options = Options::default().headers(headers).unwrap().header("Cookie", "s3cr3t3").unwrap();
        assert_eq!(options.headers.len(), 3);
        assert!(!format!("{options:?} {:?}", options.headers).contains("s3cr3t"));
    }
}

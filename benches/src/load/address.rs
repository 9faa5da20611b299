//! Parses URLs for a client that connects itself.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use http::{HeaderValue, Uri};
use url::Url;

/// An HTTP address: the socket, the host and the path.
#[derive(Debug, Clone)]
pub struct Address(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    url: Url,
    socket: SocketAddr,
    host: HeaderValue,
    path: Uri,
}

/// A URL that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is not a URL.
    #[error("{text:?} is not a URL such as http://127.0.0.1:8808/mcp")]
    NotAUrl {
        /// The text.
        text: String,
        /// The reason.
        source: url::ParseError,
    },
    /// The scheme is not http.
    #[error("{scheme:?} can't be measured: the load generator speaks plain http")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The host has no address.
    #[error("no address was found for {host:?}")]
    NoAddress {
        /// The host.
        host: String,
    },
}

impl Address {
    /// Parses a URL and resolves its host.
    ///
    /// # Errors
    ///
    /// When it is not a plain HTTP URL, or its host is unknown.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url =
            Url::parse(text).map_err(|source| AddressError::NotAUrl { text: text.to_owned(), source })?;
        Self::from_url(url)
    }

    /// Resolves a reference in a message of the server's against this address.
    pub(crate) fn join(&self, reference: &str) -> Result<Self, AddressError> {
        let url = self.0.url.join(reference);
        Self::from_url(url.map_err(|source| AddressError::NotAUrl { text: reference.to_owned(), source })?)
    }

    /// Whether both have the same origin.
    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        self.0.url.origin() == other.0.url.origin()
    }

    pub(crate) fn socket(&self) -> SocketAddr {
        self.0.socket
    }

    pub(crate) fn host(&self) -> &HeaderValue {
        &self.0.host
    }

    pub(crate) fn path(&self) -> &Uri {
        &self.0.path
    }

    fn from_url(url: Url) -> Result<Self, AddressError> {
        if url.scheme() != "http" {
            return Err(AddressError::Scheme { scheme: url.scheme().to_owned() });
        }
        let no_address = || AddressError::NoAddress { host: url.host_str().unwrap_or_default().to_owned() };
        let bare_host = url.host_str().ok_or_else(no_address)?;
        let port = url.port_or_known_default().unwrap_or(80);
        let socket = (bare_host.trim_matches(['[', ']']), port)
            .to_socket_addrs()
            .map_err(|_| no_address())?
            .next()
            .ok_or_else(no_address)?;
        let host = match url.port() {
            Some(port) => format!("{bare_host}:{port}"),
            None => bare_host.to_owned(),
        };
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let (host, path) =
            (host.try_into().map_err(|_| no_address())?, path.parse().map_err(|_| no_address())?);
        Ok(Self(Arc::new(Parts { url, socket, host, path })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let address = Address::parse("http://127.0.0.1:8808/mcp?a=b").unwrap();
        assert_eq!(address.socket().port(), 8808);
        assert_eq!(address.host(), "127.0.0.1:8808");
        assert_eq!(address.path(), "/mcp?a=b");
        assert_eq!(Address::parse("http://[::1]:1/").unwrap().socket().port(), 1);
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_a_reason() {
        let why = |text| Address::parse(text).unwrap_err().to_string();
        assert!(why("https://127.0.0.1/mcp").contains("plain http"));
        assert!(why("127.0.0.1:8808").contains("is not a URL"));
    }

    #[test]
    fn the_endpoint_of_a_stream_is_relative_to_it() {
        let stream = Address::parse("http://127.0.0.1:1/a/sse").unwrap();
        assert_eq!(stream.join("/messages?x=1").unwrap().path(), "/messages?x=1");
        assert_eq!(stream.join("messages").unwrap().path(), "/a/messages");
        assert!(!stream.join("http://127.0.0.1:2/").unwrap().has_origin_of(&stream));
    }
}

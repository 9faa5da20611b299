//! The URL of an endpoint.

use std::fmt;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

use super::OptionsError;

/// The URL of an MCP endpoint, in the forms that HTTP needs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The absolute form, for HTTP/2 and the connector. Without the default port.
    pub(super) absolute: Uri,
    /// Path and query, for HTTP/1.1.
    pub(super) path: Uri,
    /// `Host`: always the URL's own. Servers behind name-based routing, and those that guard against DNS rebinding,
    /// accept no other.
    pub(super) host: HeaderValue,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, OptionsError> {
        let refuse = |what| OptionsError::Url { what };
        // A fragment is for the client alone.
        let url = url.split('#').next().unwrap_or_default();
        let uri: Uri = url.parse().map_err(|_| refuse("it is not a URL"))?;
        Self::of(&uri).map_err(refuse)
    }

    fn of(uri: &Uri) -> Result<Self, &'static str> {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::HTTP,
            Some("https") => Scheme::HTTPS,
            Some(_) => return Err("its scheme is neither http nor https"),
            None => return Err("it has no scheme; write http:// or https://"),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("it holds a user name; credentials go into a header");
        }
        if authority.host().is_empty() {
            return Err("it names no host");
        }
        let default = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let authority: Authority = match authority.port() {
            Some(port) if port.as_u16() != default => authority.clone(),
            Some(_) => authority.host().parse().map_err(|_| "its host is not one")?,
            None if authority.as_str().ends_with(':') || authority.as_str() != authority.host() => {
                return Err("its port is not a number from 1 to 65535");
            }
            None => authority.clone(),
        };
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| "its host is not one")?;
        let absolute = Uri::builder().scheme(scheme).authority(authority).path_and_query(path.clone());
        Ok(Self { absolute: absolute.build().map_err(|_| "it is not a URL")?, path: path.into(), host })
    }

    pub(super) fn is_https(&self) -> bool {
        self.absolute.scheme() == Some(&Scheme::HTTPS)
    }

    /// The host without brackets, for DNS and TLS.
    pub(super) fn host_name(&self) -> &str {
        let host = self.absolute.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Scheme, host and port, which errors may show. Paths and queries may contain secrets.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin(self)
    }

    pub(super) fn has_origin_of(&self, other: &Self) -> bool {
        let authority = |uri: &Uri| uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
        self.absolute.scheme() == other.absolute.scheme()
            && authority(&self.absolute) == authority(&other.absolute)
    }

    /// Resolves a `Location` from this endpoint. Returns `None` if it is not an HTTP URL.
    pub(super) fn resolve(&self, location: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default();
        let base = &self.absolute;
        let (scheme, authority) = (base.scheme_str()?, base.authority()?);
        let scheme_ends = location.find("://");
        let url = if scheme_ends.is_some_and(|end| !location[..end].contains(['/', '?'])) {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else if location.starts_with('?') {
            format!("{scheme}://{authority}{}{location}", base.path())
        } else {
            let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        };
        Self::of(&url.parse().ok()?).ok()
    }
}

/// Displays an endpoint's origin.
pub(super) struct Origin<'a>(&'a Endpoint);

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = &self.0.absolute;
        write!(f, "{}://", uri.scheme_str().unwrap_or_default())?;
        f.write_str(uri.authority().map_or("", Authority::as_str))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn a_url_is_read_into_host_path_and_origin() {
        let endpoint = endpoint("https://Example.com:8443/a/mcp?x=1#top");
        assert_eq!(endpoint.host, "Example.com:8443");
        assert_eq!(endpoint.path, "/a/mcp?x=1");
        assert_eq!(endpoint.origin().to_string(), "https://Example.com:8443");
        assert!(endpoint.is_https());
    }

    #[test]
    fn the_default_port_is_left_out_of_host() {
        assert_eq!(endpoint("http://example.com:80/mcp").host, "example.com");
        assert_eq!(endpoint("https://example.com:443").host, "example.com");
        assert_eq!(endpoint("http://example.com:443").host, "example.com:443");
        assert_eq!(endpoint("http://[::1]:80/mcp").host, "[::1]");
        assert_eq!(endpoint("http://[::1]:8080/mcp").host_name(), "::1");
        assert_eq!(endpoint("http://example.com").path, "/");
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for url in [
            "",
            "mcp",
            "/mcp",
            "example.com/mcp",
            "ftp://example.com",
            "http://",
            "http:///mcp",
            "http://user:secret@example.com/mcp",
            "http://example.com:0x50/",
            "http://example.com:99999/",
            "http://a b/",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
        let error = Endpoint::parse("http://user:secret@example.com/mcp").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_location_is_resolved_against_the_endpoint() {
        let base = endpoint("http://example.com:8080/a/mcp?x=1");
        for (location, expected) in [
            ("/mcp/", "http://example.com:8080/mcp/"),
            ("mcp/", "http://example.com:8080/a/mcp/"),
            ("?y=2", "http://example.com:8080/a/mcp?y=2"),
            ("/login?next=http://other.example/", "http://example.com:8080/login?next=http://other.example/"),
            ("//other.example/mcp", "http://other.example/mcp"),
            ("https://example.com/mcp#x", "https://example.com/mcp"),
            ("http://EXAMPLE.com:8080/b", "http://EXAMPLE.com:8080/b"),
        ] {
            assert_eq!(
                base.resolve(location).map(|found| found.absolute),
                Some(expected.parse().unwrap()),
                "{location}"
            );
        }
        assert!(base.resolve("javascript://alert").is_none());
        assert!(base.resolve("http://EXAMPLE.com:8080/b").unwrap().has_origin_of(&base));
        assert!(!base.resolve("https://example.com:8080/b").unwrap().has_origin_of(&base));
        assert!(!base.resolve("//example.com/b").unwrap().has_origin_of(&base));
    }
}

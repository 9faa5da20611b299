//! The `Origin` header, and which web pages may call.
//!
//! "Servers **MUST** validate the `Origin` header on all incoming connections to prevent DNS rebinding attacks. If the
//! `Origin` header is present and invalid, servers **MUST** respond with HTTP 403 Forbidden." (2025-11-25,
//! basic/transports, and 2026-07-28, basic/transports/streamable-http.)

use http::{HeaderMap, header};

use super::authority::Authority;
use super::{Refusal, single};

/// The origins whose pages may send requests. Requests without `Origin` come from no page and are always
/// allowed.
///
/// ```
/// use crossway_proto::http_rules::{AllowedOrigins, Authority};
/// use http::{HeaderMap, HeaderValue, header};
///
/// let origins = AllowedOrigins::loopback().and("https://app.example.com")?;
/// let host = Authority::parse("mcp.example.com")?;
/// let mut headers = HeaderMap::new();
/// assert!(origins.check(&headers, &host).is_ok());
/// headers.insert(header::ORIGIN, HeaderValue::from_static("https://app.example.com"));
/// assert!(origins.check(&headers, &host).is_ok());
/// headers.insert(header::ORIGIN, HeaderValue::from_static("null"));
/// assert!(origins.check(&headers, &host).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AllowedOrigins {
    loopback: bool,
    any: bool,
    list: Vec<Origin<'static>>,
}

impl AllowedOrigins {
    /// Pages of this machine (`http` or `https`, any port), for requests that are addressed to this machine.
    #[must_use]
    pub const fn loopback() -> Self {
        Self { loopback: true, any: false, list: Vec::new() }
    }

    /// Only those that are [added](Self::and).
    #[must_use]
    pub const fn none() -> Self {
        Self { loopback: false, any: false, list: Vec::new() }
    }

    /// Any origin, `null` included: for servers behind something else that checks it.
    #[must_use]
    pub const fn any() -> Self {
        Self { loopback: false, any: true, list: Vec::new() }
    }

    /// Adds an origin: scheme, host, and the port unless it is the scheme's own.
    ///
    /// # Errors
    ///
    /// When it is not an origin, or is `null`, which all sandboxed pages share.
    pub fn and(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.list.push(Origin::parse(origin).ok_or(InvalidOrigin)?.into_owned());
        Ok(self)
    }

    /// Checks the origin of a request that is addressed to `host`.
    ///
    /// # Errors
    ///
    /// 403 when `Origin` is there and is not allowed, is not an origin, or occurs twice.
    pub fn check(&self, headers: &HeaderMap, host: &Authority<'_>) -> Result<(), Refusal> {
        if self.any || !headers.contains_key(header::ORIGIN) {
            return Ok(());
        }
        let origin = single::text(headers, &header::ORIGIN).ok().flatten().and_then(Origin::parse);
        if origin.is_some_and(|origin| self.allows(&origin, host)) {
            return Ok(());
        }
        Err(Refusal::forbidden("the Origin is not allowed"))
    }

    fn allows(&self, origin: &Origin<'_>, host: &Authority<'_>) -> bool {
        let from_here = origin.is_web() && origin.authority.is_loopback() && host.is_loopback();
        (self.loopback && from_here) || self.list.contains(origin)
    }
}

impl Default for AllowedOrigins {
    fn default() -> Self {
        Self::loopback()
    }
}

/// "scheme, host, and port" (RFC 6454, section 4), the port never left out where the scheme has one.
#[derive(Debug, Clone)]
struct Origin<'a> {
    scheme: std::borrow::Cow<'a, str>,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let port = match scheme {
            scheme if scheme.eq_ignore_ascii_case("http") => Some(80),
            scheme if scheme.eq_ignore_ascii_case("https") => Some(443),
            _ => None,
        };
        let authority = Authority::parse(authority).ok()?.or_port(port);
        is_scheme.then_some(Self { scheme: scheme.into(), authority })
    }

    fn is_web(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("http") || self.scheme.eq_ignore_ascii_case("https")
    }

    fn into_owned(self) -> Origin<'static> {
        Origin { scheme: self.scheme.into_owned().into(), authority: self.authority.into_owned() }
    }
}

impl<'a> PartialEq<Origin<'a>> for Origin<'_> {
    fn eq(&self, other: &Origin<'a>) -> bool {
        self.scheme.eq_ignore_ascii_case(&other.scheme)
            && self.authority.has_same_host(&other.authority)
            && self.authority.port() == other.authority.port()
    }
}

/// The text is not an origin: scheme, `://`, host, and a port unless it is the scheme's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an origin such as https://app.example.com or http://localhost:3000, without a path")]
pub struct InvalidOrigin;

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn allowed(origins: &AllowedOrigins, values: &[&str], host: &str) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ORIGIN, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match origins.check(&headers, &Authority::parse(host).unwrap()) {
            Ok(()) => true,
            Err(refusal) => {
                assert_eq!(refusal.status, StatusCode::FORBIDDEN);
                false
            }
        }
    }

    #[test]
    fn pages_of_this_machine_may_call_a_server_on_it_and_no_other() {
        let origins = AllowedOrigins::default();
        for origin in
            ["http://localhost:6274", "https://LOCALHOST", "http://127.0.0.1:1", "http://[::1]:8808"]
        {
            assert!(allowed(&origins, &[origin], "localhost:8808"), "{origin}");
            assert!(!allowed(&origins, &[origin], "mcp.example.com"), "{origin}");
        }
        for origin in [
            "http://evil.example.com",
            "http://localhost.evil.example",
            "null",
            "NULL",
            "",
            "localhost",
            "http://localhost:6274/",
            "http://user@localhost",
            "http://localhost http://evil.example",
            "http:localhost",
            "chrome-extension://localhost",
            "http://",
            "://localhost",
            "http://localhost:99999",
            "http://localh\u{f6}st",
        ] {
            assert!(!allowed(&origins, &[origin], "localhost:8808"), "{origin}");
        }
    }

    #[test]
    fn a_request_without_an_origin_passes_and_one_with_two_does_not() {
        for origins in [AllowedOrigins::loopback(), AllowedOrigins::none()] {
            assert!(allowed(&origins, &[], "mcp.example.com"));
        }
        assert!(!allowed(
            &AllowedOrigins::loopback(),
            &["http://localhost", "http://localhost"],
            "localhost"
        ));
    }

    #[test]
    fn origins_can_be_added_and_are_compared_whole() {
        let origins = AllowedOrigins::none()
            .and("HTTPS://App.Example.com")
            .unwrap()
            .and("vscode-webview://0ab1")
            .unwrap();
        for origin in ["https://app.example.com", "https://app.example.com:443", "vscode-webview://0AB1"] {
            assert!(allowed(&origins, &[origin], "mcp.example.com"), "{origin}");
        }
        for origin in
            ["http://app.example.com", "https://app.example.com:8443", "https://x.app.example.com", "null"]
        {
            assert!(!allowed(&origins, &[origin], "mcp.example.com"), "{origin}");
        }
        assert!(allowed(&AllowedOrigins::any(), &["null"], "mcp.example.com"));
        for bad in ["", "null", "*", "app.example.com", "https://app.example.com/", "https://*.example.com"] {
            assert_eq!(AllowedOrigins::none().and(bad).unwrap_err(), InvalidOrigin, "{bad}");
        }
    }
}

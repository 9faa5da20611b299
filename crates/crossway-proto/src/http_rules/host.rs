//! The `Host` header, and which hosts are allowed.
//!
//! The specification does not require this check; advisories against SDKs and gateways do. A page whose name
//! was made to point to this machine (DNS rebinding) has the same origin as the server, so that browsers may
//! send no `Origin`. But its `Host` reveals it.

use std::net::Ipv6Addr;

use http::{HeaderMap, Uri, header};

use super::authority::{Authority, InvalidAuthority};
use super::{Refusal, single};

/// The hosts that requests may be addressed to.
///
/// ```
/// use crossway_proto::http_rules::AllowedHosts;
/// use http::{HeaderMap, HeaderValue, Uri, header};
///
/// let hosts = AllowedHosts::loopback().and("mcp.example.com")?;
/// let mut headers = HeaderMap::new();
/// headers.insert(header::HOST, HeaderValue::from_static("mcp.example.com:8443"));
/// assert!(hosts.check(&headers, &Uri::from_static("/mcp")).is_ok());
/// # Ok::<(), crossway_proto::http_rules::InvalidAuthority>(())
/// ```
#[derive(Debug, Clone)]
pub struct AllowedHosts {
    loopback: bool,
    any: bool,
    list: Vec<Authority<'static>>,
}

impl AllowedHosts {
    /// Only the names and addresses of this machine: `localhost`, `127.0.0.0/8`, `::1`.
    #[must_use]
    pub const fn loopback() -> Self {
        Self { loopback: true, any: false, list: Vec::new() }
    }

    /// Whether no name beyond this machine's is allowed.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        !self.any && self.list.is_empty()
    }

    /// Only those that are [added](Self::and).
    #[must_use]
    pub const fn none() -> Self {
        Self { loopback: false, any: false, list: Vec::new() }
    }

    /// Any host: for servers behind something else that checks it. The header is still required, and has to
    /// be valid.
    #[must_use]
    pub const fn any() -> Self {
        Self { loopback: false, any: true, list: Vec::new() }
    }

    /// Adds a host. With a port, it is allowed only with that port; without one, with any.
    ///
    /// # Errors
    ///
    /// When it is not a host.
    pub fn and(mut self, host: &str) -> Result<Self, InvalidAuthority> {
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => address.into(),
            Err(_) => Authority::parse(host)?.into_owned(),
        };
        self.list.push(host);
        Ok(self)
    }

    /// Checks which host a request is addressed to, by its `Host` header and its target's authority (HTTP/2's
    /// `:authority`, HTTP/1.1's absolute form).
    ///
    /// # Errors
    ///
    /// 400 when there is none, several, or an invalid one, or when header and target differ. 403 when it is
    /// not allowed: RFC 9110 has 421 for misdirected requests, which clients may retry over another
    /// connection (section 15.5.20), but this is a matter of trust, and most of the SDKs answer 403.
    pub fn check<'a>(&self, headers: &'a HeaderMap, target: &'a Uri) -> Result<Authority<'a>, Refusal> {
        let invalid = |_| Refusal::bad_request("the Host is not one host with or without a port");
        let header = match single::text(headers, &header::HOST) {
            Ok(header) => header,
            Err(single::NotSingle::Repeated) => {
                return Err(Refusal::bad_request("the request has several Hosts"));
            }
            Err(single::NotSingle::NotText) => return Err(invalid(InvalidAuthority)),
        };
        let header = header.map(Authority::parse).transpose().map_err(invalid)?;
        let target = target
            .authority()
            .map(|target| Authority::parse(target.as_str()))
            .transpose()
            .map_err(invalid)?;
        let host = match (header, target) {
            (None, None) => return Err(Refusal::bad_request("the request has no Host")),
            (Some(host), None) | (None, Some(host)) => host,
            (Some(header), Some(target)) => {
                let other_port = header.port().zip(target.port()).is_some_and(|(one, other)| one != other);
                if other_port || !header.has_same_host(&target) {
                    return Err(Refusal::bad_request("the Host differs from the request's target"));
                }
                target.or_port(header.port())
            }
        };
        if self.allows(&host) { Ok(host) } else { Err(Refusal::forbidden("the Host is not allowed")) }
    }

    /// Whether this host is allowed.
    #[must_use]
    pub fn allows(&self, host: &Authority<'_>) -> bool {
        self.any
            || (self.loopback && host.is_loopback())
            || self.list.iter().any(|allowed| {
                allowed.has_same_host(host) && allowed.port().is_none_or(|port| host.port() == Some(port))
            })
    }
}

impl Default for AllowedHosts {
    fn default() -> Self {
        Self::loopback()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The status of the refusal, or the host.
    fn check(hosts: &AllowedHosts, values: &[&[u8]], target: &str) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::HOST, HeaderValue::from_bytes(value).unwrap());
        }
        let target: Uri = target.parse().unwrap();
        hosts.check(&headers, &target).map(|host| host.to_string()).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn by_default_only_this_machine_is_allowed() {
        let hosts = AllowedHosts::default();
        for host in ["localhost:8808", "LOCALHOST", "localhost.", "127.0.0.1:1", "[::1]:8808", "[::1]"] {
            assert!(check(&hosts, &[host.as_bytes()], "/mcp").is_ok(), "{host}");
        }
        for host in [
            "evil.example.com",
            "evil.example.com:8808",
            "localhost.evil.example",
            "10.0.0.1",
            "0.0.0.0:8808",
        ] {
            assert_eq!(check(&hosts, &[host.as_bytes()], "/mcp"), Err(403), "{host}");
        }
    }

    #[test]
    fn a_missing_malformed_or_repeated_host_is_a_bad_request() {
        for hosts in [AllowedHosts::loopback(), AllowedHosts::any()] {
            assert_eq!(check(&hosts, &[], "/mcp"), Err(400));
            assert_eq!(check(&hosts, &[b"localhost", b"localhost"], "/mcp"), Err(400));
            for host in [&b""[..], b"a b", b"localhost, evil", b"user@localhost", b"\xff", b"localhost:http"]
            {
                assert_eq!(check(&hosts, &[host], "/mcp"), Err(400), "{host:?}");
            }
        }
    }

    #[test]
    fn hosts_can_be_added_with_and_without_ports() {
        let hosts = AllowedHosts::none()
            .and("Example.com")
            .unwrap()
            .and("10.0.0.1:80")
            .unwrap()
            .and("fd00::1")
            .unwrap();
        for host in
            ["example.com", "example.com:1", "EXAMPLE.COM.:2", "10.0.0.1:80", "[fd00::1]:80", "[FD00:0::1]"]
        {
            assert!(check(&hosts, &[host.as_bytes()], "/").is_ok(), "{host}");
        }
        for host in ["www.example.com", "10.0.0.1", "10.0.0.1:81", "[fd00::2]", "localhost"] {
            assert_eq!(check(&hosts, &[host.as_bytes()], "/"), Err(403), "{host}");
        }
        for bad in ["", "http://example.com", "*.example.com", "example.com/mcp"] {
            assert!(AllowedHosts::none().and(bad).is_err(), "{bad}");
        }
        assert!(check(&AllowedHosts::any(), &[b"anything.example"], "/").is_ok());
    }

    #[test]
    fn the_target_counts_as_much_as_the_header() {
        let hosts = AllowedHosts::loopback();
        assert_eq!(check(&hosts, &[], "http://localhost:8808/mcp"), Ok("localhost:8808".into()));
        assert_eq!(check(&hosts, &[], "http://evil.example/mcp"), Err(403));
        assert_eq!(check(&hosts, &[b"LOCALHOST:8808"], "http://localhost/mcp"), Ok("localhost:8808".into()));
        assert_eq!(check(&hosts, &[b"localhost"], "http://evil.example/mcp"), Err(400));
        assert_eq!(check(&hosts, &[b"localhost:1"], "http://localhost:2/mcp"), Err(400));
        assert_eq!(check(&hosts, &[b"localhost"], "http://user@localhost/mcp"), Err(400));
    }
}

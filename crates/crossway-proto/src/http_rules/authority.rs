//! Hosts with optional ports, as in `Host`, `:authority` and origins.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host and its port, if one is given.
///
/// Names are compared without regard to case and a dot at their end, addresses by their value.
///
/// ```
/// use crossway_proto::http_rules::Authority;
///
/// let host = Authority::parse("[0:0::1]:8808")?;
/// assert_eq!(host, Authority::parse("[::1]:8808")?);
/// assert!(host.is_loopback());
/// assert_eq!(Authority::parse("Example.COM.")?, Authority::parse("example.com")?);
/// # Ok::<(), crossway_proto::http_rules::InvalidAuthority>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority<'a> {
    host: Host<'a>,
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Host<'a> {
    /// Without a dot at its end.
    Name(Cow<'a, str>),
    Address(IpAddr),
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
    ///
    /// # Errors
    ///
    /// When it is anything else: with user information, percent signs, an empty host, a port above 65535.
    pub fn parse(text: &'a str) -> Result<Self, InvalidAuthority> {
        if let Some(text) = text.strip_prefix('[') {
            let (address, rest) = text.split_once(']').ok_or(InvalidAuthority)?;
            let address: Ipv6Addr = address.parse().map_err(|_| InvalidAuthority)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if rest.is_empty() => None,
                None => return Err(InvalidAuthority),
            };
            return Ok(Self { host: Host::Address(address.to_canonical()), port });
        }
        let (name, port) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { host: parse_name(name)?, port: parse_port(port)? })
    }

    /// The port, if one is given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the host is this machine: `localhost`, `127.0.0.0/8` or `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Host::Address(address) => address.is_loopback(),
        }
    }

    /// Whether the host is an address rather than a name.
    #[must_use]
    pub fn is_address(&self) -> bool {
        matches!(self.host, Host::Address(_))
    }

    /// Whether the hosts are the same, whatever the ports.
    #[must_use]
    pub fn has_same_host(&self, other: &Authority<'_>) -> bool {
        match (&self.host, &other.host) {
            (Host::Name(one), Host::Name(other)) => one.eq_ignore_ascii_case(other),
            (Host::Address(one), Host::Address(other)) => one == other,
            _ => false,
        }
    }

    pub(super) fn or_port(self, port: Option<u16>) -> Self {
        Self { port: self.port.or(port), ..self }
    }

    pub(super) fn into_owned(self) -> Authority<'static> {
        let host = match self.host {
            Host::Name(name) => Host::Name(Cow::Owned(name.into_owned())),
            Host::Address(address) => Host::Address(address),
        };
        Authority { host, port: self.port }
    }
}

impl From<Ipv6Addr> for Authority<'_> {
    fn from(address: Ipv6Addr) -> Self {
        Self { host: Host::Address(address.to_canonical()), port: None }
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (Self::Address(one), Self::Address(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn parse_name(name: &str) -> Result<Host<'_>, InvalidAuthority> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() > LONGEST_NAME || !name.split('.').all(is_label) {
        return Err(InvalidAuthority);
    }
    Ok(Host::Name(Cow::Borrowed(name)))
}

/// RFC 1035, section 2.3.4, in its written form.
const LONGEST_NAME: usize = 253;

/// `uri-host [ ":" port ]` with `port = *DIGIT` (RFC 9110, section 7.2; RFC 3986, section 3.2.3): it may be empty.
fn parse_port(port: &str) -> Result<Option<u16>, InvalidAuthority> {
    if port.is_empty() {
        return Ok(None);
    }
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidAuthority);
    }
    port.parse().map(Some).map_err(|_| InvalidAuthority)
}

/// The text is no host with or without a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host name or an address, with or without a port")]
pub struct InvalidAuthority;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_by_what_they_mean() {
        let same = |one, other| Authority::parse(one).unwrap() == Authority::parse(other).unwrap();
        assert!(same("LocalHost.:80", "localhost:80"));
        assert!(same("[::1]", "[0:0:0:0:0:0:0:1]"));
        assert!(same("[::ffff:127.0.0.1]:1", "127.0.0.1:1"));
        assert!(same("localhost:", "localhost"));
        assert!(!same("localhost:80", "localhost"));
        assert!(!same("localhost", "127.0.0.1"));
    }

    #[test]
    fn loopback_is_told_from_what_looks_like_it() {
        for yes in ["localhost", "LOCALHOST.:1", "127.0.0.1", "127.1.2.3:80", "[::1]:5", "[::ffff:127.0.0.1]"]
        {
            assert!(Authority::parse(yes).unwrap().is_loopback(), "{yes}");
        }
        for no in [
            "localhost.example.com",
            "127.0.0.1.nip.io",
            "0.0.0.0",
            "[::]",
            "127.1",
            "0x7f000001",
            "xlocalhost",
        ] {
            assert!(!Authority::parse(no).unwrap().is_loopback(), "{no}");
        }
    }

    #[test]
    fn anything_but_a_host_with_a_port_is_refused() {
        for bad in [
            "",
            ".",
            ":80",
            "a..b",
            "a b",
            "a,b",
            "user@localhost",
            "localhost:80:80",
            "localhost:x",
            "localhost:+1",
            "localhost:65536",
            "::1",
            "[::1",
            "[::1]80",
            "[::1%25lo]",
            "[127.0.0.1]",
            "localhost/",
            "http://localhost",
            "localhost%00",
            "l\u{f6}calhost",
            "a..",
        ] {
            assert_eq!(Authority::parse(bad), Err(InvalidAuthority), "{bad:?}");
        }
        assert!(Authority::parse(&"a".repeat(254)).is_err());
    }

    #[test]
    fn an_authority_is_written_as_it_is_read() {
        for text in ["example.com", "example.com:1", "127.0.0.1:65535", "[::1]:80", "my_service-1"] {
            assert_eq!(Authority::parse(text).unwrap().to_string(), text);
        }
    }
}

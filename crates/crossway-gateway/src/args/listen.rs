//! The address of `--listen`.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(SocketAddr);

impl Listen {
    /// The address.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        self.0
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.0.ip().is_loopback()
    }
}

/// An address that says itself what it is: `8808` and `:8808` are of this machine alone, as is `localhost:8808`.
pub(crate) fn literal(text: &str) -> Option<SocketAddr> {
    let port = text.strip_prefix("localhost:").or(text.strip_prefix(':')).unwrap_or(text).parse::<u16>();
    port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))).or_else(|_| text.parse()).ok()
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = text.rsplit_once(':').map_or(text, |(_, port)| port);
        if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_err()
        {
            return Err(format!("{port} is no port: ports go from 0 to 65535"));
        }
        let found = || text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        literal(text)
            .or_else(found)
            .map(Self)
            .ok_or_else(|| "an address is written as IP:PORT, such as 127.0.0.1:8808".to_owned())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_of_this_machine() {
        for text in ["8808", ":8808", "localhost:8808", "127.0.0.1:8808"] {
            assert_eq!(literal(text), Some(SocketAddr::from(([127, 0, 0, 1], 8808))), "{text}");
        }
        assert_eq!(literal("0.0.0.0:1").map(|address| address.port()), Some(1));
        for text in ["99999", "127.0.0.1:99999", "[::1]:65536"] {
            assert!(text.parse::<Listen>().unwrap_err().contains("0 to 65535"), "{text}");
        }
        for text in ["127.0.0.1", "localhost", "", "99999", "nowhere:1"] {
            assert_eq!(literal(text), None, "{text}");
        }
    }
}

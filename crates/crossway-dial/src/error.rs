//! Errors of proxy settings and of dialing.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a URL can't be a proxy's. The URL is not shown: it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} is no URL of a proxy: {what}")]
pub struct BadProxy {
    pub(crate) place: &'static str,
    pub(crate) what: &'static str,
}

/// Why there is no connection. No part of a request was sent to its origin.
#[derive(Debug)]
#[non_exhaustive]
pub enum DialError {
    /// The origin itself can't be reached. Displayed as the inner error.
    Straight(BoxError),
    /// The proxy gives no connection.
    Proxy {
        /// Scheme, host and port of the proxy.
        proxy: String,
        /// The fault, which is a part of the message. This error's source is the fault's source.
        fault: ProxyFault,
    },
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Straight(error) => error.fmt(f),
            Self::Proxy { proxy, fault } => write!(f, "the proxy {proxy} {fault}"),
        }
    }
}

impl Error for DialError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Straight(error) => error.source(),
            Self::Proxy { fault, .. } => fault.source(),
        }
    }
}

/// What is wrong with a proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyFault {
    /// The proxy can't be reached.
    #[error("can't be reached")]
    Unreachable(#[source] BoxError),
    /// The proxy asks for a user and a password.
    #[error("answered 407: give it a user and a password in {place} (http://USER:PASSWORD@HOST:PORT)")]
    NoUser {
        /// Where to set them: the name of a variable, or `its URL`.
        place: &'static str,
    },
    /// The proxy does not accept the user and the password.
    #[error("answered 407: it does not take the user and the password that {place} has")]
    WrongUser {
        /// Where they are set: the name of a variable, or `its URL`.
        place: &'static str,
    },
    /// The proxy refuses a tunnel.
    #[error(
        "answered {} when it was asked for {host}: have it allowed there, or go around the proxy by NO_PROXY", status.as_u16()
    )]
    Refused {
        /// The status of the proxy's answer.
        status: StatusCode,
        /// Host and port that the tunnel was to lead to.
        host: String,
    },
    /// The proxy does not speak HTTP, or closed the connection.
    #[error("gave no answer that is one of an HTTP proxy")]
    NoAnswer(#[source] hyper::Error),
    /// The proxy sent bytes into the tunnel before anything was sent through it.
    #[error("sent something into the tunnel before it was asked")]
    Early,
    /// The proxy does not speak SOCKS5, or refuses.
    #[error("gives no connection")]
    Socks(#[source] BoxError),
    /// There was no connection in time, to the proxy or through it.
    #[error("led to no connection within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

//! Errors of proxy settings and of dialing.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a URL can't be a proxy's. It is not shown: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} is no URL of a proxy: {what}")]
pub struct BadProxy {
    pub(crate) place: &'static str,
    pub(crate) what: &'static str,
}

/// Why there is no connection. Nothing of a request was sent to its origin.
#[derive(Debug)]
#[non_exhaustive]
pub enum DialError {
    /// The origin itself can't be reached: it is shown as that error.
    Straight(BoxError),
    /// The proxy before it gives no connection.
    Proxy {
        /// Scheme, host and port of the proxy.
        proxy: String,
        /// What is wrong, which is a part of the message. Its cause is this error's.
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
    /// It can't be reached.
    #[error("can't be reached")]
    Unreachable(#[source] BoxError),
    /// It wants to know who asks.
    #[error("answered 407: give it a user and a password in {place} (http://USER:PASSWORD@HOST:PORT)")]
    NoUser {
        /// Where: the name of a variable, or `its URL`.
        place: &'static str,
    },
    /// It does not take the user and the password.
    #[error("answered 407: it does not take the user and the password that {place} has")]
    WrongUser {
        /// Where they are: the name of a variable, or `its URL`.
        place: &'static str,
    },
    /// It does not give a tunnel.
    #[error(
        "answered {} when it was asked for {host}: have it allowed there, or go around the proxy by NO_PROXY", status.as_u16()
    )]
    Refused {
        /// The status of its answer.
        status: StatusCode,
        /// Host and port that it was asked for.
        host: String,
    },
    /// It does not speak HTTP, or ended the connection.
    #[error("gave no answer that is one of an HTTP proxy")]
    NoAnswer(#[source] hyper::Error),
    /// It sent something before it was asked.
    #[error("sent something into the tunnel before it was asked")]
    Early,
    /// It speaks no SOCKS5, or refuses.
    #[error("gives no connection")]
    Socks(#[source] BoxError),
    /// There was no connection in time, be it for the proxy or for what is behind it.
    #[error("led to no connection within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

//! A listener with or without TLS.

use std::net::SocketAddr;

use crossway_streamable_http::server::http::{Accept, Accepted};
use http::Extensions;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::Tls;
use crate::identity::Connection;

/// A listener with or without TLS. One type for both, so that the code that serves connections is compiled once.
#[derive(Debug, Clone)]
pub enum MaybeTls {
    /// No TLS, and nothing is recorded about connections, which costs nothing.
    Plain,
    /// No TLS; each request gets a [`Connection`] among its extensions.
    Tcp,
    /// TLS.
    Tls(Tls),
}

impl MaybeTls {
    /// Uses TLS if there is some, and plain TCP otherwise.
    #[must_use]
    pub fn of(tls: Option<Tls>) -> Self {
        tls.map_or(Self::Tcp, Self::Tls)
    }

    /// Whether the listener's URLs begin with `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl Accept for MaybeTls {
    type Io = Either<TcpStream, Box<TlsStream<TcpStream>>>;

    async fn accept(&self, stream: TcpStream, from: SocketAddr) -> Option<Accepted<Self::Io>> {
        let known = match self {
            Self::Plain => None,
            Self::Tcp => {
                let mut known = Extensions::new();
                known.insert(Connection::from_address(from));
                Some(known)
            }
            Self::Tls(tls) => {
                let Accepted { io, known } = tls.accept(stream, from).await?;
                return Some(Accepted { io: Either::Right(Box::new(io)), known });
            }
        };
        Some(Accepted { io: Either::Left(stream), known })
    }
}

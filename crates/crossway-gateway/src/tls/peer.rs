//! Where a connection is from.

use std::net::SocketAddr;

use crossway_streamable_http::server::http::{Accept, Accepted};
use http::Extensions;
use tokio::net::TcpStream;

/// The address that a connection is from, as the socket has it. It is among the extensions of each request. What
/// headers say (`Forwarded`, `X-Forwarded-For`) is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// No TLS; each request is told its [`PeerAddress`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Accept for Tcp {
    type Io = TcpStream;

    async fn accept(&self, stream: TcpStream, from: SocketAddr) -> Option<Accepted<TcpStream>> {
        let mut known = Extensions::new();
        known.insert(PeerAddress(from));
        Some(Accepted { io: stream, known: Some(known) })
    }
}

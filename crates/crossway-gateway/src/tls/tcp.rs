//! No TLS.

use std::net::SocketAddr;

use crossway_streamable_http::server::http::{Accept, Accepted};
use http::Extensions;
use tokio::net::TcpStream;

use crate::identity::Connection;

/// No TLS; each request gets a [`Connection`] among its extensions all the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Accept for Tcp {
    type Io = TcpStream;

    async fn accept(&self, stream: TcpStream, from: SocketAddr) -> Option<Accepted<TcpStream>> {
        let mut known = Extensions::new();
        known.insert(Connection::from_address(from));
        Some(Accepted { io: stream, known: Some(known) })
    }
}

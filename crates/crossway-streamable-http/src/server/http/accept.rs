//! Layers between a socket and HTTP, such as TLS.

use std::fmt;
use std::net::SocketAddr;

use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Turns a TCP connection into the stream that carries HTTP.
///
/// Runs on the connection's own task, and has to limit its own time: no other timeout applies until it is done.
pub trait Accept: Clone + Send + 'static {
    /// The stream that carries HTTP.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Accepts a connection from an address; `None` closes it.
    fn accept(
        &self,
        stream: TcpStream,
        from: SocketAddr,
    ) -> impl Future<Output = Option<Accepted<Self::Io>>> + Send;
}

/// A connection that is ready for HTTP.
pub struct Accepted<I> {
    /// The stream that carries HTTP.
    pub io: I,
    /// Data about the connection, added to the extensions of each request. `None` costs nothing.
    pub known: Option<Extensions>,
}

impl<I> fmt::Debug for Accepted<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("known", &self.known).finish_non_exhaustive()
    }
}

/// Plain TCP: no layer in between, and no data about connections.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Accept for Plain {
    type Io = TcpStream;

    async fn accept(&self, stream: TcpStream, _: SocketAddr) -> Option<Accepted<TcpStream>> {
        Some(Accepted { io: stream, known: None })
    }
}

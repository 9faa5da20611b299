//! What is put between a socket and HTTP, such as TLS.

use std::fmt;
use std::net::SocketAddr;

use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Makes of a TCP connection what HTTP is spoken on.
///
/// It runs on the connection's own task, and has to bound its time itself: until it is done, nothing else does.
pub trait Accept: Clone + Send + 'static {
    /// What HTTP is spoken on.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Takes a connection that came from an address; `None` closes it.
    fn accept(
        &self,
        stream: TcpStream,
        from: SocketAddr,
    ) -> impl Future<Output = Option<Accepted<Self::Io>>> + Send;
}

/// A connection on which HTTP can be spoken.
pub struct Accepted<I> {
    /// What it is spoken on.
    pub io: I,
    /// What is known of the connection: each request gets it among its extensions. `None` costs nothing.
    pub known: Option<Extensions>,
}

impl<I> fmt::Debug for Accepted<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("known", &self.known).finish_non_exhaustive()
    }
}

/// Nothing in between, and nothing known of connections.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Accept for Plain {
    type Io = TcpStream;

    async fn accept(&self, stream: TcpStream, _: SocketAddr) -> Option<Accepted<TcpStream>> {
        Some(Accepted { io: stream, known: None })
    }
}

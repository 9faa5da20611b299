//! Several listening sockets, served as one.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};

/// One or several listening sockets that share all limits, such as a server's IPv4 and IPv6 addresses.
#[derive(Debug)]
pub struct Listeners {
    first: TcpListener,
    more: Vec<TcpListener>,
    /// The socket that is polled first next time, so that none is starved by a busy one.
    next: usize,
}

impl From<TcpListener> for Listeners {
    fn from(first: TcpListener) -> Self {
        Self { first, more: Vec::new(), next: 0 }
    }
}

impl Listeners {
    /// Adds a socket.
    #[must_use]
    pub fn and(mut self, listener: TcpListener) -> Self {
        self.more.push(listener);
        self
    }

    /// The address of the first socket.
    ///
    /// # Errors
    ///
    /// When the system does not report it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.first.local_addr()
    }

    /// Accepts the next connection of any socket.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no connection is lost.
    pub(super) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let count = 1 + self.more.len();
        poll_fn(|context| {
            for _ in 0..count {
                let at = self.next;
                self.next = (at + 1) % count;
                let listener = at.checked_sub(1).map_or(&self.first, |at| &self.more[at]);
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_taken_from_each_in_turn() {
        let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [one.local_addr().unwrap(), other.local_addr().unwrap()];
        let mut listeners = Listeners::from(one).and(other);
        assert_eq!(listeners.local_addr().unwrap(), addresses[0]);
        let mut clients = Vec::new();
        for address in [addresses[0], addresses[0], addresses[1], addresses[1]] {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let mut taken = Vec::new();
        for _ in &clients {
            taken.push(listeners.accept().await.unwrap().0.local_addr().unwrap());
        }
        assert_eq!(taken, [addresses[0], addresses[1], addresses[0], addresses[1]]);
    }
}

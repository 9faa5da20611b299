//! The server's end of a simulated link.

use bytes::Bytes;
use crossway_proto::{Limits, Message};
use tokio::sync::mpsc;

use super::lane::{Cut, Lane};

/// An arrival at a server.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The message. `None` for a legacy client's GET, which opens a stream for messages that belong to no call.
    pub message: Option<Message>,
    /// The stream for answers and related messages.
    pub way: Way,
}

/// A stream to the client.
#[derive(Debug, Clone)]
pub struct Way {
    pub(super) lane: Lane<Message>,
    /// Whether the stream belongs to one request.
    pub(super) is_own: bool,
}

impl Way {
    /// Sends a message, given as text. A message that can't arrive is lost.
    ///
    /// # Panics
    ///
    /// When the text is not a message.
    pub fn send(&self, text: &str) {
        let text = Bytes::copy_from_slice(text.as_bytes());
        let message = Message::parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
        self.lane.send(message);
    }

    /// Whether the stream belongs to one request.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Waits until the client closes the stream: forever on a pipe, which belongs to no request.
    pub async fn closed(&self) {
        if self.is_own { self.lane.closed().await } else { std::future::pending().await }
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct ServerEnd {
    pub(super) incoming: mpsc::Receiver<Arrived>,
    pub(super) cut: Cut,
}

impl ServerEnd {
    /// Receives the next arrival; `None` once the connection has ended.
    pub async fn receive(&mut self) -> Option<Arrived> {
        tokio::select! {
            biased;
            () = self.cut.happened() => None,
            arrived = self.incoming.recv() => arrived,
        }
    }

    /// Returns a function that ends the connection, and loses everything on its way.
    pub fn cutter(&self) -> impl Fn() + Send + Sync + use<> {
        let cut = self.cut.clone();
        move || cut.cut()
    }
}

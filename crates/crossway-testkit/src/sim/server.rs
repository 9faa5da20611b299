//! The server's end of a simulated link.

use bytes::Bytes;
use crossway_proto::{Limits, Message};
use tokio::sync::mpsc;

use super::lane::{Cut, Lane};

/// What has arrived at a server.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The message. None on the way of what belongs to no call: a legacy client's GET.
    pub message: Option<Message>,
    /// Where answers to it go, and what comes in its course.
    pub way: Way,
}

/// A stream to the client.
#[derive(Debug, Clone)]
pub struct Way {
    pub(super) lane: Lane<Message>,
    /// Whether the stream is one request's own.
    pub(super) is_own: bool,
}

impl Way {
    /// Sends a message, given as text. What can't arrive any more is lost.
    ///
    /// # Panics
    ///
    /// When the text is no message.
    pub fn send(&self, text: &str) {
        let text = Bytes::copy_from_slice(text.as_bytes());
        let message = Message::parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
        self.lane.send(message);
    }

    /// Whether the stream is one request's own.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Ready when the client has closed the stream: never on a pipe, which is not one request's.
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
    /// What arrives next; `None` once the connection has ended.
    pub async fn receive(&mut self) -> Option<Arrived> {
        tokio::select! {
            biased;
            () = self.cut.happened() => None,
            arrived = self.incoming.recv() => arrived,
        }
    }

    /// What ends the connection, with all that is on its way.
    pub fn cutter(&self) -> impl Fn() + Send + Sync + use<> {
        let cut = self.cut.clone();
        move || cut.cut()
    }
}

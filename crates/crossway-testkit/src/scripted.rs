//! An upstream whose server side a test scripts.

use crossway_proto::{Limits, Message, RequestId};
use crossway_service::{Limits as ServiceLimits, Link, Scope, Upstream, duplex};
use tokio::sync::mpsc;

/// An upstream that hands the server's end of each connection to the test.
#[derive(Debug, Clone)]
pub struct Scripted {
    servers: mpsc::Sender<(Scope, Server)>,
}

impl Scripted {
    /// Makes an upstream, and a receiver of its connections. Connecting needs a tokio runtime.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<(Scope, Server)>) {
        let (servers, connections) = mpsc::channel(65_536);
        (Self { servers }, connections)
    }

    /// Makes an upstream whose answers to a message are computed by `answer`: interim messages, then the response.
    pub fn answering(answer: impl Fn(&Message) -> Vec<String> + Clone + Send + 'static) -> Self {
        let (upstream, mut connections) = Self::new();
        tokio::spawn(async move {
            while let Some((_, server)) = connections.recv().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    while let Some(message) = server.receive().await {
                        for text in answer(&message) {
                            server.send(&text);
                        }
                    }
                });
            }
        });
        upstream
    }
}

impl Upstream for Scripted {
    fn connect(&self, scope: Scope) -> Link {
        let (ours, theirs) = duplex::pair(65_536);
        let (link, carry) = ours.connect_with(ServiceLimits::default(), scope.into());
        tokio::spawn(carry);
        // When the test accepts no more connections, this one ends at once.
        let _ = self.servers.try_send((scope, Server(theirs)));
        link
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct Server(duplex::End);

impl Server {
    /// Receives the client's next message; `None` once the connection has ended.
    pub async fn receive(&self) -> Option<Message> {
        self.0.receive().await
    }

    /// Receives the next message, which has to be a request of this method. Returns the id for the answer.
    ///
    /// # Panics
    ///
    /// When another message comes, or the connection ends.
    pub async fn expect(&self, method: &str) -> RequestId {
        let message = self.receive().await.unwrap_or_else(|| panic!("the connection ended before {method}"));
        assert_eq!(message.method().as_deref(), Some(method));
        message.id().unwrap_or_else(|| panic!("{method} is a notification"))
    }

    /// Sends a message, given as text.
    ///
    /// # Panics
    ///
    /// When the text is not a message.
    pub fn send(&self, text: &str) {
        let text = bytes::Bytes::copy_from_slice(text.as_bytes());
        let message = Message::parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
        // The client may be gone: a script may intend that.
        let _ = self.0.send(message);
    }

    /// Answers a request with a result, given as JSON text.
    ///
    /// # Panics
    ///
    /// When the text is not JSON.
    pub fn answer(&self, id: &RequestId, result: &str) {
        let message = Message::result_of(id, result.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let _ = self.0.send(message);
    }
}

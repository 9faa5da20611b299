//! One HTTP/1.1 connection, driven by the reader of its response.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};

use super::body::Outgoing;
use super::io::Io;

/// A connection without its own task.
///
/// The reply that waits for a response polls the connection as well, so a call costs no wake-ups between tasks, a
/// reader that stalls holds up its own connection by TCP alone, and dropping the reply closes the connection.
pub(super) struct Http1 {
    sender: SendRequest<Outgoing>,
    /// `None` once the connection has ended. It is dropped at once then, which resolves everything that waits for it.
    connection: Option<Connection<Io, Outgoing>>,
    /// Whether the connection has carried a response already.
    pub(super) is_used: bool,
    /// How long the server keeps an idle connection open, if it said so.
    pub(super) kept_for: Option<Duration>,
    /// Whether the connection may be kept for another request.
    pub(super) is_poolable: bool,
}

impl Http1 {
    pub(super) async fn open(io: Io, buffer: usize, is_poolable: bool) -> hyper::Result<Box<Self>> {
        let (sender, connection) = Builder::new().max_buf_size(buffer).handshake(io).await?;
        let connection = Some(connection);
        let mut opened = Box::new(Self { sender, connection, is_used: false, kept_for: None, is_poolable });
        // The connection accepts its first request after it was polled.
        std::future::poll_fn(|cx| opened.poll_ready(cx)).await;
        Ok(opened)
    }

    /// Polls the connection to read and write. `cx` is woken when there is more to do.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection {
            // The response or its body reports how the connection ended.
            if Pin::new(connection).poll(cx).is_ready() {
                self.connection = None;
            }
        }
    }

    /// Ready once the connection accepts a request, or has ended.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.drive(cx);
        if self.connection.is_none() {
            return Poll::Ready(());
        }
        self.sender.poll_ready(cx).map(drop)
    }

    /// Whether the connection accepts a request now: the last response was read, and the server has not closed it.
    pub(super) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_ready(cx).is_ready() && self.connection.is_some()
    }

    /// Sends a request and waits for the head of its response. An error that contains the request means that nothing of
    /// it was written.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        let mut response = pin!(self.sender.try_send_request(request));
        let sent = std::future::poll_fn(|cx| {
            if let Some(connection) = &mut self.connection
                && Pin::new(connection).poll(cx).is_ready()
            {
                self.connection = None;
            }
            // Only polling the connection, as above, makes this ready, so no waker is needed.
            response.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        });
        let response = sent.await?;
        self.is_used = true;
        self.kept_for =
            response.headers().get(header::HeaderName::from_static("keep-alive")).and_then(kept_for);
        Ok(response)
    }
}

/// `Keep-Alive: timeout=5, max=100`
fn kept_for(value: &http::HeaderValue) -> Option<Duration> {
    let mut parameters = value.to_str().ok()?.split(',');
    let seconds = parameters.find_map(|parameter| parameter.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_keep_alive_time_is_read() {
        let read = |value: &'static str| kept_for(&http::HeaderValue::from_static(value));
        assert_eq!(read("timeout=5"), Some(Duration::from_secs(5)));
        assert_eq!(read("max=100, timeout=72"), Some(Duration::from_secs(72)));
        assert_eq!(read("timeout=soon"), None);
        assert_eq!(read("max=1"), None);
    }
}

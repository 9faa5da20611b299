//! One HTTP/1.1 connection, driven by its user without a task.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_proto::Slices;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest};

use super::connect::{Connector, Io};
use super::error::OpenError;

pub(super) type Outgoing = Request<Full<Slices>>;

/// An HTTP/1.1 connection for one exchange at a time.
pub(super) struct Wire {
    sender: SendRequest<Full<Slices>>,
    /// `None` once the connection has ended: only then does the sender notice, too.
    connection: Option<Connection<Io, Full<Slices>>>,
}

/// Why a request could not be sent.
pub(super) struct SendFault {
    /// The request, if nothing of it was written.
    pub(super) unsent: Option<Box<Outgoing>>,
    pub(super) error: hyper::Error,
}

impl Wire {
    /// Opens a connection. The connection and the future are boxed: both are large, and are moved often.
    pub(super) fn connect(connector: &Connector) -> BoxFuture<'_, Result<Box<Self>, OpenError>> {
        Box::pin(async {
            let io = connector.connect().await?;
            let (sender, connection) =
                hyper::client::conn::http1::handshake(io).await.map_err(OpenError::Broken)?;
            Ok(Box::new(Self { sender, connection: Some(connection) }))
        })
    }

    /// Sends a request and waits for the head of its response.
    pub(super) async fn send(&mut self, request: Outgoing) -> Result<Response<Incoming>, SendFault> {
        if let Err(error) = std::future::poll_fn(|cx| self.poll_ready(cx)).await {
            return Err(SendFault { unsent: Some(Box::new(request)), error });
        }
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            self.poll(cx);
            response.as_mut().poll(cx)
        })
        .await
        .map_err(|mut fault| SendFault {
            unsent: fault.take_message().map(Box::new),
            error: fault.into_error(),
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.poll(cx);
        self.sender.poll_ready(cx)
    }

    /// The next piece of a response's body.
    pub(super) fn poll_data(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Bytes>>> {
        loop {
            let mut frame = Pin::new(&mut *body).poll_frame(cx);
            if frame.is_pending() {
                // Only the connection can bring more.
                self.poll(cx);
                frame = Pin::new(&mut *body).poll_frame(cx);
            }
            match ready!(frame).map(|frame| frame.map(http_body::Frame::into_data)) {
                Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
                // Trailers are ignored.
                Some(Ok(Err(_))) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// Reads a body to its end. `None` if it has more than `limit` bytes.
    pub(super) async fn collect(&mut self, mut body: Incoming, limit: usize) -> hyper::Result<Option<Bytes>> {
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut length = 0;
        while let Some(piece) = std::future::poll_fn(|cx| self.poll_data(&mut body, cx)).await {
            let piece = piece?;
            length += piece.len();
            if length > limit {
                return Ok(None);
            }
            pieces.push(piece);
        }
        Ok(Some(match pieces.len() {
            0 => Bytes::new(),
            1 => pieces.swap_remove(0),
            _ => Bytes::from(pieces.concat()),
        }))
    }

    /// Whether another request can be sent, after the last response was read to its end.
    pub(super) async fn is_reusable(&mut self) -> bool {
        let is_ready = std::future::poll_fn(|cx| Poll::Ready(self.poll_ready(cx))).await;
        matches!(is_ready, Poll::Ready(Ok(())))
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            // The exchange in progress reports how the connection ended.
            self.connection = None;
        }
    }
}

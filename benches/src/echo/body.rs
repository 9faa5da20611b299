//! Response bodies of the echo server.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};

use crate::body::{Chunks, Slices};

/// A response body.
#[derive(Debug)]
pub(crate) enum Answered {
    /// Slices of a known total length.
    Whole(Chunks),
    /// Complete events, sent as a stream.
    Events(VecDeque<Bytes>),
    /// Events as they come, until the session ends.
    Stream(mpsc::Receiver<Bytes>),
    /// A stream without events, until the session ends and the sender is dropped.
    Silent(oneshot::Receiver<()>),
}

impl Body for Answered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Self::Whole(chunks) => return Pin::new(chunks).poll_frame(cx),
            Self::Events(events) => events.pop_front(),
            Self::Stream(receiver) => ready!(receiver.poll_recv(cx)),
            Self::Silent(ended) => {
                // Nothing is sent: only the sender's drop wakes this.
                let _ = ready!(Pin::new(ended).poll(cx));
                None
            }
        };
        Poll::Ready(next.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(chunks) => chunks.is_end_stream(),
            Self::Events(events) => events.is_empty(),
            Self::Stream(_) | Self::Silent(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(chunks) => chunks.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

/// One `message` event.
pub(crate) fn event(slices: &Slices) -> Bytes {
    let length = slices.iter().map(Bytes::len).sum::<usize>();
    let mut event = Vec::with_capacity(length + 24);
    event.extend_from_slice(b"event: message\ndata: ");
    for slice in slices {
        event.extend_from_slice(slice);
    }
    event.extend_from_slice(b"\n\n");
    event.into()
}

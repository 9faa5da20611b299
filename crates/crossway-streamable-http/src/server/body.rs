//! Response bodies.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use crossway_proto::{Message, Slices};
use http_body::{Frame, SizeHint};

use super::events::EventStream;

/// The body of an endpoint's response: nothing, messages as JSON, or a stream of events.
///
/// The bytes of a message are passed on as they came from the upstream.
///
/// # Cancel safety
///
/// Dropping a stream before its end cancels its call in modern revisions. In legacy ones the call continues, and its
/// remaining messages are kept for the client to resume.
pub struct Body(Inner);

enum Inner {
    Empty,
    Slices(Slices),
    Events(Box<EventStream>),
}

impl Body {
    pub(crate) const fn empty() -> Self {
        Self(Inner::Empty)
    }

    pub(crate) fn message(message: &Message) -> Self {
        Self(Inner::Slices(message.into()))
    }

    /// Several messages as one JSON array.
    pub(crate) fn batch(messages: &[Message]) -> Self {
        let comma = Bytes::from_static(b",");
        let slices = messages.iter().enumerate().flat_map(|(at, message)| {
            let before = if at == 0 { Bytes::from_static(b"[") } else { comma.clone() };
            std::iter::once(before).chain(message.chunks())
        });
        Self(Inner::Slices(slices.chain([Bytes::from_static(b"]")]).collect()))
    }

    pub(crate) fn events(events: EventStream) -> Self {
        Self(Inner::Events(Box::new(events)))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match &mut self.0 {
            Inner::Empty => None,
            Inner::Slices(slices) => next_slice(slices),
            Inner::Events(events) => std::task::ready!(events.poll_data(cx)),
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Empty => true,
            Inner::Slices(slices) => slices.is_empty(),
            Inner::Events(events) => events.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Slices(slices) => SizeHint::with_exact(slices.len() as u64),
            Inner::Events(_) => SizeHint::default(),
        }
    }
}

/// Takes the first slice out of a chain, without a copy.
pub(crate) fn next_slice(slices: &mut Slices) -> Option<Bytes> {
    let len = slices.chunk().len();
    (len > 0).then(|| slices.copy_to_bytes(len))
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Inner::Empty => "Body(empty)",
            Inner::Slices(_) => "Body(messages)",
            Inner::Events(_) => "Body(events)",
        })
    }
}

//! Request bodies, as chains of slices.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::Slices;
use http_body::{Body, Frame, SizeHint};

/// A complete body: one frame, written with one vectored write and without a copy.
pub(in crate::client) struct Outgoing(Option<Slices>);

impl Outgoing {
    pub(super) fn new(slices: Slices) -> Self {
        Self((!slices.is_empty()).then_some(slices))
    }
}

impl Body for Outgoing {
    type Data = Slices;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Slices>, Infallible>>> {
        Poll::Ready(self.0.take().map(|slices| Ok(Frame::data(slices))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |slices| slices.len() as u64))
    }
}

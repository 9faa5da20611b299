//! The reply of a sanitized call.

use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::{Kind, Message};
use crossway_service::{CallError, Reason, Reply};
use futures_core::Stream;

use super::layer::sanitized;
use super::text::Bounds;

/// A reply with a sanitized result.
pub(super) struct Sanitized {
    reply: Reply,
    bounds: Bounds,
}

impl Sanitized {
    pub(super) fn new(reply: Reply, bounds: Bounds) -> Self {
        Self { reply, bounds }
    }
}

impl Stream for Sanitized {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.reply).poll_next(cx);
        let Poll::Ready(Some(Ok(answer))) = &next else { return next };
        if answer.kind() != Kind::Result {
            return next;
        }
        let harmless = sanitized(answer, &self.bounds)
            .ok_or_else(|| CallError::answered(Reason::InvalidAnswer("it can't be read".into())));
        Poll::Ready(Some(harmless))
    }
}

//! The reply of a traced call.

use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::{Kind, Message};
use crossway_service::{CallError, Reply};
use futures_core::Stream;
use tracing::Span;

/// A reply that is polled in its call's span, and records in it how the call ended.
pub(super) struct Traced {
    // Dropped in this order: messages that the reply sends when it is cancelled belong to the call.
    reply: Option<Reply>,
    span: Span,
    has_ended: bool,
}

impl Traced {
    pub(super) fn new(reply: Reply, span: Span) -> Self {
        Self { reply: Some(reply), span, has_ended: false }
    }

    fn ended(&mut self, outcome: &'static str) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.span.record("outcome", outcome);
        }
    }
}

impl Stream for Traced {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(reply) = &mut this.reply else { return Poll::Ready(None) };
        let next = {
            let _entered = this.span.enter();
            Pin::new(reply).poll_next(cx)
        };
        match &next {
            Poll::Ready(Some(Ok(message))) => match message.kind() {
                Kind::Result => this.ended("result"),
                Kind::Error => this.ended("error"),
                _ => {}
            },
            Poll::Ready(Some(Err(_))) => this.ended("failed"),
            Poll::Ready(None) => this.ended("no answer"),
            Poll::Pending => {}
        }
        next
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.ended("dropped");
        let reply = self.reply.take();
        self.span.in_scope(|| drop(reply));
    }
}

//! The reply of a call with a timeout.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossway_proto::Message;
use crossway_service::{CallError, Reply};
use futures_core::Stream;
use pin_project::pin_project;

use super::timer::Timer;

/// A reply with a timeout.
#[pin_project]
pub(super) struct Timed {
    /// `None` once the reply has ended.
    reply: Option<Reply>,
    #[pin]
    timer: Timer,
}

impl Timed {
    pub(super) fn new(reply: Reply, timer: Timer) -> Self {
        Self { reply: Some(reply), timer }
    }
}

impl Stream for Timed {
    type Item = Result<Message, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let Some(reply) = this.reply else { return Poll::Ready(None) };
        if let Poll::Ready(next) = Pin::new(reply).poll_next(cx) {
            if matches!(&next, Some(Ok(message)) if !message.is_response()) {
                this.timer.heard();
            }
            return Poll::Ready(next);
        }
        let elapsed = ready!(this.timer.poll_elapsed(cx));
        // Dropping the reply tells the upstream.
        *this.reply = None;
        Poll::Ready(Some(Err(elapsed.into())))
    }
}

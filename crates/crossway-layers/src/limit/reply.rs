//! The reply of a call that counts against quotas.

use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::Message;
use crossway_service::{CallError, Reply};
use futures_core::Stream;

use super::layer::Pass;

/// A reply that holds the call's turns and counts its bytes.
pub(super) struct Limited {
    // Dropped in this order: the next call gets its turn after this one's reply is dropped.
    reply: Reply,
    pass: Pass,
}

impl Limited {
    pub(super) fn new(reply: Reply, pass: Pass) -> Self {
        Self { reply, pass }
    }
}

impl Stream for Limited {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.reply).poll_next(cx);
        let has_ended = match &next {
            Poll::Ready(Some(Ok(message))) => {
                self.pass.meters.iter().for_each(|counts| counts.count_bytes(message.len(), counts.now()));
                message.is_response()
            }
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        if has_ended {
            self.pass.turns.clear();
        }
        next
    }
}

//! A call that is recorded when it is over.

use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::Message;
use crossway_service::{CallError, Reply};
use futures_core::Stream;

use super::record::Record;

/// A reply whose end is recorded. Its record is written when it is dropped, at the latest.
pub(super) struct Audited {
    reply: Reply,
    record: Record,
}

impl Audited {
    pub(super) fn new(reply: Reply, record: Record) -> Self {
        Self { reply, record }
    }
}

impl Stream for Audited {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.reply).poll_next(cx);
        match &next {
            Poll::Ready(Some(Ok(message))) if message.is_response() => self.record.answered(message),
            Poll::Ready(Some(Err(error))) => self.record.failed(error),
            Poll::Ready(None) => self.record.unanswered(),
            _ => {}
        }
        next
    }
}

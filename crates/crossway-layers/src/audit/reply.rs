//! The reply of an audited call.

use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::Message;
use crossway_service::{CallError, Reply};
use futures_core::Stream;
use tokio::time::{Sleep, sleep};

use super::record::Record;
use crate::limits::AUDIT_LISTEN;

/// A reply whose end is recorded. Its record is written when it is dropped, at the latest. Of what listens, the beginning is recorded too.
pub(super) struct Audited {
    reply: Reply,
    record: Record,
    /// How long what listens may take to begin.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Audited {
    pub(super) fn new(reply: Reply, record: Record) -> Self {
        Self { reply, record, patience: None }
    }
}

impl Stream for Audited {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = Pin::new(&mut this.reply).poll_next(cx);
        match &next {
            Poll::Ready(Some(Ok(message))) if message.is_response() => this.record.answered(message),
            Poll::Ready(Some(Ok(_))) => this.record.listens(),
            Poll::Ready(Some(Err(error))) => this.record.failed(error),
            Poll::Ready(None) => this.record.unanswered(),
            Poll::Pending if this.record.is_to_listen() => {
                let patience = this.patience.get_or_insert_with(|| Box::pin(sleep(AUDIT_LISTEN)));
                if patience.as_mut().poll(cx).is_ready() {
                    this.record.listens();
                }
            }
            Poll::Pending => {}
        }
        if !this.record.is_to_listen() {
            this.patience = None;
        }
        next
    }
}

//! A call that is recorded when it is over.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::Message;
use crossway_service::{Call, CallError, Reply};
use futures_core::Stream;
use pin_project::pin_project;
use tower_service::Service;

use super::AuditLayer;
use super::record::Record;
use crate::seam::Course;

/// The future of an [`Audit`](super::Audit).
#[pin_project]
pub struct AuditFuture<S: Service<Call>>(#[pin] pub(super) Course<S, AuditLayer>);

impl<S> Future for AuditFuture<S>
where
    S: Service<Call, Response = Reply, Error = Infallible>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().0.poll(cx)
    }
}

impl<S: Service<Call>> fmt::Debug for AuditFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditFuture")
    }
}

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

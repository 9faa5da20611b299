//! A call whose answer is made harmless.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::{Kind, Message};
use crossway_service::{Call, CallError, Reason, Reply};
use futures_core::Stream;
use pin_project::pin_project;
use tower_service::Service;

use super::SanitizeLayer;
use super::layer::sanitized;
use super::text::Bounds;
use crate::seam::Course;

/// The future of an [`Sanitize`](super::Sanitize).
#[pin_project]
pub struct SanitizeFuture<S: Service<Call>>(#[pin] pub(super) Course<S, SanitizeLayer>);

impl<S> Future for SanitizeFuture<S>
where
    S: Service<Call, Response = Reply, Error = Infallible>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().0.poll(cx)
    }
}

impl<S: Service<Call>> fmt::Debug for SanitizeFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SanitizeFuture")
    }
}

/// A reply whose result is made harmless.
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

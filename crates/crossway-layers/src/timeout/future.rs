//! A call that ends in time.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossway_proto::Message;
use crossway_service::{Call, CallError, Reply};
use futures_core::Stream;
use pin_project::pin_project;
use tower_service::Service;

use super::TimeoutLayer;
use super::timer::Timer;
use crate::seam::Course;

/// The future of a [`Timeout`](super::Timeout).
#[pin_project]
pub struct TimeoutFuture<S: Service<Call>>(#[pin] pub(super) Course<S, TimeoutLayer>);

impl<S> Future for TimeoutFuture<S>
where
    S: Service<Call, Response = Reply, Error = Infallible>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().0.poll(cx)
    }
}

impl<S: Service<Call>> fmt::Debug for TimeoutFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimeoutFuture")
    }
}

/// A reply that ends in time.
#[pin_project]
pub(super) struct Timed {
    /// `None` once it has ended.
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

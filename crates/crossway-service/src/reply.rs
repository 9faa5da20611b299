//! The response side of the service interface: a stream of messages.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::Message;
use futures_core::Stream;

use crate::CallError;

/// An upstream's reply to a call: a stream of messages.
///
/// | to | it gives |
/// |---|---|
/// | a request | any number of interim messages (notifications; from legacy upstreams also server requests), in the upstream's order, then exactly one response, then the end |
/// | a request that the client cancels | interim messages, then the end |
/// | a notification or a response | the end, once it has been handed on |
/// | [`Ask::Listen`](crate::Ask::Listen) | messages that belong to no call, until the connection ends |
///
/// An error is the last item. No task stands behind a reply: it advances when it is polled, and its upstream is not
/// held up by it beyond [`Limits`](crate::Limits).
///
/// # Cancel safety
///
/// Dropping a reply before its response **cancels the call**, and the upstream is told. Dropping a future that waits
/// for its next message loses nothing.
#[must_use = "a reply that is dropped cancels its call"]
pub struct Reply(Inner);

enum Inner {
    Ended,
    Once(Message),
    /// Boxed, because replies are moved and kept in many places.
    Failed(Box<CallError>),
    Stream(Pin<Box<dyn Stream<Item = Result<Message, CallError>> + Send>>),
}

impl Reply {
    /// The reply to a message that gets no response.
    pub fn accepted() -> Self {
        Self(Inner::Ended)
    }

    /// A reply that is here already.
    pub fn once(message: Message) -> Self {
        Self(Inner::Once(message))
    }

    /// A failure.
    pub fn failed(error: CallError) -> Self {
        Self(Inner::Failed(Box::new(error)))
    }

    /// The reply to [`Ask::Listen`](crate::Ask::Listen) of a server that sends nothing outside of calls. It
    /// never ends, because its end would mean that the connection has ended.
    pub fn silent() -> Self {
        Self::stream(futures_util::stream::pending())
    }

    /// A reply that comes message by message.
    pub fn stream(messages: impl Stream<Item = Result<Message, CallError>> + Send + 'static) -> Self {
        Self(Inner::Stream(Box::pin(messages)))
    }

    /// A reply that a future will give.
    pub fn pending(reply: impl Future<Output = Self> + Send + 'static) -> Self {
        Self::stream(futures_util::FutureExt::flatten_stream(reply))
    }

    /// The next message; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future of this that is dropped has taken no message.
    ///
    /// # Errors
    ///
    /// When the call fails; no message follows.
    pub async fn next(&mut self) -> Option<Result<Message, CallError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Reads to the end, or to the first error, and drops what comes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the reply, which cancels the call if it has not been answered.
    pub async fn drain(mut self) {
        while let Some(Ok(_)) = self.next().await {}
    }
}

impl Stream for Reply {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Inner::Stream(messages) = &mut self.0 {
            let next = messages.as_mut().poll_next(cx);
            if let Poll::Ready(None | Some(Err(_))) = next {
                self.0 = Inner::Ended;
            }
            return next;
        }
        Poll::Ready(match std::mem::replace(&mut self.0, Inner::Ended) {
            Inner::Once(message) => Some(Ok(message)),
            Inner::Failed(error) => Some(Err(*error)),
            Inner::Ended | Inner::Stream(_) => None,
        })
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Inner::Ended => "Reply(ended)",
            Inner::Once(_) | Inner::Failed(_) => "Reply(once)",
            Inner::Stream(_) => "Reply(stream)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::StreamExt as _;

    use super::*;
    use crate::Reason;

    #[tokio::test]
    async fn a_drained_reply_is_read_to_its_end_or_its_first_error() {
        for (fails_at, read) in [(None, 3), (Some(1), 2)] {
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let items = futures_util::stream::iter(0..3).map(move |at| {
                counted.fetch_add(1, Ordering::Relaxed);
                match fails_at {
                    Some(fails) if at == fails => Err(CallError::unknown(Reason::Closing)),
                    _ => Ok(Message::notification_of("m", None).unwrap()),
                }
            });
            Reply::stream(items).drain().await;
            assert_eq!(count.load(Ordering::Relaxed), read);
        }
    }
}

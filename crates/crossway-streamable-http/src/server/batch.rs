//! Batches, which revision 2025-03-26 alone has.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crossway_proto::{Message, RequestId};
use crossway_service::{Call, CallError, Context, Link, Reply, RequestBound};
use futures_core::Stream;
use futures_util::stream::SelectAll;

/// Calls each message of a batch, and joins the replies into one.
///
/// One call is begun at a time, and others of the runtime's tasks have their turn between: what a call begins with may take a while, such
/// as deciding whether it may be made.
pub(crate) fn call(link: &Link, messages: Vec<Message>, context: &Context) -> Reply {
    let (link, context) = (link.clone(), context.clone());
    Reply::stream(Batch { link, context, waiting: messages.into(), members: SelectAll::new() })
}

struct Batch {
    link: Link,
    context: Context,
    waiting: VecDeque<Message>,
    members: SelectAll<Member>,
}

impl Stream for Batch {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = self.waiting.pop_front() {
            let id = message.id().filter(|_| message.is_request());
            let admitted = match id {
                Some(_) => RequestBound::admit_if_any(self.context.extensions.get()),
                None => Ok(()),
            };
            let reply = match admitted {
                Ok(()) => self.link.call(Call::message(message, self.context.clone())),
                Err(error) => Reply::failed(error),
            };
            self.members.push(Member { id, reply });
        }
        let next = Pin::new(&mut self.members).poll_next(cx);
        if self.waiting.is_empty() || matches!(next, Poll::Ready(Some(_))) {
            return next;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The reply to one message of a batch. That it fails does not end the others.
struct Member {
    id: Option<RequestId>,
    reply: Reply,
}

impl Stream for Member {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.reply).poll_next(cx).map(|next| match (next, &self.id) {
            (Some(Err(error)), Some(id)) => Some(Ok(error.to_message(Some(id)))),
            (next, _) => next,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Waker;

    use crossway_service::Connection;

    use super::*;

    /// Answers each call at once, and counts them.
    struct Counting(Arc<AtomicUsize>);

    impl Connection for Counting {
        fn call(&self, call: Call) -> Reply {
            self.0.fetch_add(1, Ordering::Relaxed);
            match call.ask {
                crossway_service::Ask::Message(message) if message.is_request() => {
                    Reply::once(Message::result_of(&message.id().unwrap(), b"{}").unwrap())
                }
                _ => Reply::accepted(),
            }
        }
    }

    #[test]
    fn the_calls_of_a_batch_are_begun_one_after_the_other_with_turns_for_others_between() {
        let begun = Arc::new(AtomicUsize::new(0));
        let link = Link::new(Counting(Arc::clone(&begun)));
        let notification = || Message::notification_of("notifications/x", None).unwrap();
        let request = |id: u64| Message::request_of(&RequestId::from(id), "ping", None).unwrap();
        let messages = vec![notification(), request(1), notification(), request(2)];
        let mut reply = call(&link, messages, &Context::default());
        let mut cx = TaskContext::from_waker(Waker::noop());
        let mut poll = || Pin::new(&mut reply).poll_next(&mut cx);
        let mut answers = Vec::new();
        for round in 1..=4 {
            if let Poll::Ready(Some(answer)) = poll() {
                answers.push(answer.unwrap().id());
            }
            assert_eq!(begun.load(Ordering::Relaxed), round);
        }
        assert!(matches!(poll(), Poll::Ready(None)));
        assert_eq!(answers, [Some(RequestId::from(1)), Some(RequestId::from(2))]);
    }
}

//! JSON-RPC batches, which exist only in revision 2025-03-26.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crossway_proto::{Message, RequestId};
use crossway_service::{Call, CallError, Context, Link, Reason, Reply, RequestLimiter};
use futures_core::Stream;
use futures_util::stream::SelectAll;

/// Makes a call for each message of a batch, and joins the replies into one.
///
/// One call is started at a time, and the runtime's other tasks get their turn in between: starting a call may take a while, for
/// example to decide whether it is permitted.
pub(crate) fn call(link: &Link, messages: Vec<Message>, context: &Context) -> Reply {
    let (link, context) = (link.clone(), context.clone());
    let has_requests = messages.iter().any(Message::is_request);
    Reply::stream(Batch { link, context, has_requests, waiting: messages.into(), members: SelectAll::new() })
}

struct Batch {
    link: Link,
    context: Context,
    has_requests: bool,
    waiting: VecDeque<Message>,
    members: SelectAll<Member>,
}

impl Stream for Batch {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = self.waiting.pop_front() {
            let id = message.request_id();
            let admitted = match id {
                Some(_) => RequestLimiter::admit_if_any(self.context.extensions.get()),
                None => Ok(()),
            };
            let reply = match admitted {
                Ok(()) => self.link.call(Call::message(message, self.context.clone())),
                Err(error) => Reply::failed(error),
            };
            let is_of_calls = self.has_requests;
            self.members.push(Member { id, is_of_calls, reply });
        }
        let next = Pin::new(&mut self.members).poll_next(cx);
        if self.waiting.is_empty() || matches!(next, Poll::Ready(Some(_))) {
            return next;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The reply to one message of a batch. Its failure does not end the others, unless the session has ended: "it **MUST**
/// respond to requests containing that session ID with HTTP 404 Not Found" (2025-03-26, basic/transports, Session Management).
struct Member {
    id: Option<RequestId>,
    /// Whether the batch has requests, whose answers are the response.
    is_of_calls: bool,
    reply: Reply,
}

impl Stream for Member {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let is_of_calls = self.is_of_calls;
        Pin::new(&mut self.reply).poll_next(cx).map(|next| match (next, &self.id) {
            (Some(Err(error)), _) if *error.reason() == Reason::SessionEnded => Some(Err(error)),
            (Some(Err(error)), Some(id)) => Some(Ok(error.to_message(Some(id)))),
            (Some(Err(_)), None) if is_of_calls => None,
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

    /// Answers each request at once, and counts the calls.
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

    /// Fails notifications for one reason, and requests too if the reason is the session's end.
    struct Failing(Reason);

    impl Connection for Failing {
        fn call(&self, call: Call) -> Reply {
            match call.ask {
                crossway_service::Ask::Message(message)
                    if message.is_request() && self.0 != Reason::SessionEnded =>
                {
                    Reply::once(Message::result_of(&message.id().unwrap(), b"{}").unwrap())
                }
                _ => Reply::failed(CallError::not_sent(self.0.clone())),
            }
        }
    }

    /// The items of the reply to a batch of a request and a notification.
    fn of_failing(reason: Reason) -> Vec<Result<Message, CallError>> {
        let messages = vec![
            Message::request_of(&RequestId::from(1), "ping", None).unwrap(),
            Message::notification_of("notifications/x", None).unwrap(),
        ];
        let reply = call(&Link::new(Failing(reason)), messages, &Context::default());
        let mut cx = TaskContext::from_waker(Waker::noop());
        let mut reply = std::pin::pin!(reply);
        std::iter::from_fn(|| {
            std::iter::repeat_with(|| reply.as_mut().poll_next(&mut cx)).take(9).find_map(
                |next| match next {
                    Poll::Ready(next) => Some(next),
                    Poll::Pending => None,
                },
            )?
        })
        .collect()
    }

    #[test]
    fn a_notification_that_fails_takes_no_call_of_its_batch_with_it() {
        let answers = of_failing(Reason::Closing);
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].as_ref().unwrap().id(), Some(RequestId::from(1)));
    }

    #[test]
    fn a_batch_in_a_session_that_has_ended_fails_for_that() {
        let answers = of_failing(Reason::SessionEnded);
        assert_eq!(*answers[0].as_ref().unwrap_err().reason(), Reason::SessionEnded);
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

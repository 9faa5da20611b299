//! Batches, which revision 2025-03-26 alone has.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crossway_proto::{Message, RequestId};
use crossway_service::{Call, CallError, Context, Link, Reply};
use futures_core::Stream;
use futures_util::stream::SelectAll;

/// Calls each message of a batch, and joins the replies into one.
pub(crate) fn call(link: &Link, messages: Vec<Message>, context: &Context) -> Reply {
    let mut members = SelectAll::new();
    for message in messages {
        let id = message.id().filter(|_| message.is_request());
        members.push(Member { id, reply: link.call(Call::message(message, context.clone())) });
    }
    Reply::stream(members)
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

//! The reply of an authorized call, with lists filtered.

use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::{Kind, Message};
use crossway_service::{CallError, Reason, Reply};
use futures_core::Stream;

use super::layer::Sieve;

/// Filters a list for a caller who may see only part of it.
pub(super) struct Filtered {
    reply: Reply,
    sieve: Sieve,
}

impl Filtered {
    pub(super) fn new(reply: Reply, sieve: Sieve) -> Self {
        Self { reply, sieve }
    }
}

impl Stream for Filtered {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.reply).poll_next(cx);
        let Poll::Ready(Some(Ok(page))) = &next else { return next };
        if page.kind() != Kind::Result {
            return next;
        }
        // A list that can't be read can't be filtered.
        let sifted = self.sieve.sift(page).ok_or_else(|| {
            CallError::answered(Reason::InvalidAnswer("it is no list that can be read".into()))
        });
        Poll::Ready(Some(sifted))
    }
}

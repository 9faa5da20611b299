//! Reroutes a modern request that meets a server of another era than expected.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crossway_proto::Message;
use crossway_service::{Call, CallError, Outcome, Reply};
use futures_core::Stream;

use super::ModernLinks;

/// The reply to such a request: from the path that fitted when it was sent, or, if it was not handled there and the other path fits by
/// now, from the other path.
pub(super) struct Rerouted {
    pub(super) to: Arc<ModernLinks>,
    /// The call, to be sent again; `None` once its client has received something or it was resent.
    pub(super) call: Option<Call>,
    pub(super) is_translated: bool,
    pub(super) reply: Reply,
}

impl Stream for Rerouted {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let item = ready!(Pin::new(&mut this.reply).poll_next(cx));
            let call = this.call.take();
            let is_translated = this.to.ways.is_translated();
            match (&item, call) {
                (Some(Err(error)), Some(call))
                    if error.outcome() == Outcome::NotSent && is_translated != this.is_translated =>
                {
                    this.reply = this.to.way(is_translated).call(call);
                }
                _ => return Poll::Ready(item),
            }
        }
    }
}

//! Continues calls after their client disconnected.
//!
//! "Disconnection **SHOULD NOT** be interpreted as the client cancelling its request" (2025-11-25,
//! basic/transports): the upstream's remaining messages are kept for the client to resume.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use crossway_proto::{Message, RequestId};
use crossway_service::{Call, CallError, Reason, Reply};
use futures_core::Stream;
use tracing::debug;

use super::Session;

/// Lets a call continue in the background. With a stream, its messages are kept for a client that resumes it; without one, they
/// can't reach anybody.
pub(crate) fn detach(
    session: &Arc<Session>,
    reply: Reply,
    stream: Option<u32>,
    due: usize,
    id: Option<RequestId>,
) {
    let finish = || {
        if let Some(stream) = stream {
            session.streams().finish(stream);
        }
    };
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return finish() };
    if session.has_ended() {
        return finish();
    }
    if session.detached.fetch_add(1, Ordering::Relaxed) >= session.limits().detached_calls {
        session.detached.fetch_sub(1, Ordering::Relaxed);
        debug!("a call is cancelled: its client has gone away from too many");
        return finish();
    }
    // A detached call does not keep its session: only other use does, so that no session is kept forever.
    let session = Arc::downgrade(session);
    runtime.spawn(Drain { session, reply, stream, due, id });
}

struct Drain {
    session: Weak<Session>,
    reply: Reply,
    stream: Option<u32>,
    /// The number of responses that are still to come.
    due: usize,
    id: Option<RequestId>,
}

impl Future for Drain {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(session) = this.session.upgrade() else { return Poll::Ready(()) };
        loop {
            if let Some(stream) = this.stream {
                ready!(session.streams().poll_room(stream, cx));
            }
            let message = match ready!(Pin::new(&mut this.reply).poll_next(cx)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    this.due = 1;
                    error.to_message(this.id.as_ref())
                }
                None => break,
            };
            match this.stream {
                Some(stream) => session.streams().push(stream, &message),
                None => refuse(&session, &message),
            }
            if message.is_response() {
                this.due = this.due.saturating_sub(1);
                if this.due == 0 {
                    break;
                }
            }
        }
        if let Some(stream) = this.stream {
            session.streams().finish(stream);
        }
        session.detached.fetch_sub(1, Ordering::Relaxed);
        Poll::Ready(())
    }
}

/// Tells the upstream that nobody will answer its request, so that it does not wait.
fn refuse(session: &Session, message: &Message) {
    if message.is_request() {
        let error = CallError::not_sent(Reason::Ended("the client has gone away".into()));
        let answer = error.to_message(message.id().as_ref());
        tokio::spawn(session.link.call(Call::message(answer, session.context())).drain());
    }
}

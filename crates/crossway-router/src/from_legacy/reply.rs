//! The reply to one call of a legacy client.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use crossway_era::from_legacy::{Call, Step};
use crossway_proto::{Message, RequestId};
use crossway_service::{CallError, Context, Outcome, Reply};
use futures_core::Stream;

use super::session::Session;
use crate::mailbox::{Found, Mailbox};

/// One call's reply, over all its rounds.
pub(super) struct CallReply {
    session: Arc<Session>,
    call: Call,
    mailbox: Arc<Mailbox>,
    context: Context,
    /// The upstream's reply; `None` while the client is being asked.
    reply: Option<Reply>,
    /// Messages on their way to the client; all of them go out before anything else.
    queue: VecDeque<Message>,
    /// The ids of the questions that the client has to answer.
    asked: Vec<RequestId>,
    /// Whether the server has received a round of the call.
    was_seen: bool,
    is_over: bool,
    /// The error after the queue, if the call has failed.
    failure: Option<CallError>,
}

impl CallReply {
    pub(super) fn new(session: Arc<Session>, call: Call, mailbox: Arc<Mailbox>, context: Context) -> Self {
        // Sent at once, so that calls keep their order.
        let reply = Some(session.send(call.request(), &context));
        Self {
            session,
            call,
            mailbox,
            context,
            reply,
            queue: VecDeque::new(),
            asked: Vec::new(),
            was_seen: false,
            is_over: false,
            failure: None,
        }
    }

    /// Carries out a step of the state machine. Returns the message that the client gets at once.
    fn take(&mut self, step: Step) -> Option<Message> {
        match step {
            Step::Pass(message) => return Some(message),
            Step::Nothing => {}
            Step::Ask(requests) => {
                self.reply = None;
                self.queue.extend(requests);
            }
            Step::Again(request) => {
                self.session.forget_questions(&std::mem::take(&mut self.asked));
                self.was_seen = true;
                self.reply = Some(self.session.send(request, &self.context));
            }
            Step::Done(answer) => {
                self.end();
                if self.queue.is_empty() {
                    return Some(answer);
                }
                self.queue.push_back(answer);
            }
        }
        None
    }

    /// Turns the failure of the last round into one of the whole call: the client knows of no rounds.
    fn of_all_rounds(&self, error: CallError) -> CallError {
        if !self.was_seen || error.outcome() != Outcome::NotSent {
            return error;
        }
        let whole = CallError::unknown(error.reason().clone());
        match error.retry_after() {
            Some(after) => whole.with_retry_after(after),
            None => whole,
        }
    }

    /// Ends the call. Only queued messages still follow: cancellations of the questions that are withdrawn.
    fn end(&mut self) {
        self.is_over = true;
        self.reply = None;
        let never_asked: Vec<_> = self.queue.drain(..).filter_map(|request| request.id()).collect();
        while let Some(withdrawn) = self.call.poll_withdrawn() {
            if withdrawn.cancelled_id().is_some_and(|id| !never_asked.contains(&id)) {
                self.queue.push_back(withdrawn);
            }
        }
        self.session.forget_questions(&std::mem::take(&mut self.asked));
        self.session.forget_call(self.call.id(), &self.mailbox);
    }
}

impl Stream for CallReply {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if !this.is_over {
                match this.mailbox.look(cx) {
                    Found::Ended(failure) => {
                        this.call.handle_cancelled();
                        this.end();
                        this.failure = failure;
                    }
                    Found::Message(response) => {
                        let step = this.call.handle_response(&response);
                        if let Some(message) = step.and_then(|step| this.take(step)) {
                            return Poll::Ready(Some(Ok(message)));
                        }
                        continue;
                    }
                    Found::Nothing => {}
                }
            }
            if let Some(message) = this.queue.pop_front() {
                return Poll::Ready(Some(Ok(message)));
            }
            if this.is_over {
                return Poll::Ready(this.failure.take().map(Err));
            }
            let Some(reply) = &mut this.reply else { return Poll::Pending };
            let step = match Pin::new(reply).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(message))) => {
                    let (session, mailbox, asked) = (&this.session, &this.mailbox, &mut this.asked);
                    this.call.handle_reply(message, || {
                        let id = session.question(mailbox);
                        asked.push(id.clone());
                        id
                    })
                }
                Poll::Ready(last) => {
                    this.end();
                    return Poll::Ready(last.map(|item| item.map_err(|error| this.of_all_rounds(error))));
                }
            };
            if let Some(message) = this.take(step) {
                return Poll::Ready(Some(Ok(message)));
            }
        }
    }
}

impl Drop for CallReply {
    fn drop(&mut self) {
        if !self.is_over {
            self.end();
        }
    }
}

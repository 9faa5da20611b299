//! The reply to one call of a legacy client.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use crossway_era::from_legacy::{Call, Step};
use crossway_proto::{Message, RequestId};
use crossway_service::{CallError, Context, Reply};
use futures_core::Stream;

use super::session::Session;
use crate::cell::{Cell, Found};

/// One call's reply, over all its rounds.
pub(super) struct CallReply {
    session: Arc<Session>,
    call: Call,
    cell: Arc<Cell>,
    context: Context,
    /// The upstream's reply; `None` while the client is asked.
    reply: Option<Reply>,
    /// Server requests on their way to the client.
    asking: VecDeque<Message>,
    asked: Vec<RequestId>,
    is_over: bool,
}

impl CallReply {
    pub(super) fn new(session: Arc<Session>, call: Call, cell: Arc<Cell>, context: Context) -> Self {
        // It is sent at once, so that calls keep their order.
        let reply = Some(session.send(call.request(), &context));
        Self {
            session,
            call,
            cell,
            context,
            reply,
            asking: VecDeque::new(),
            asked: Vec::new(),
            is_over: false,
        }
    }

    /// Does what the machine says. Gives what the client gets.
    fn take(&mut self, step: Step) -> Option<Message> {
        match step {
            Step::Pass(message) => Some(message),
            Step::Nothing => None,
            Step::Ask(requests) => {
                self.reply = None;
                self.asked = requests.iter().filter_map(Message::id).collect();
                self.asking.extend(requests);
                None
            }
            Step::Again(request) => {
                self.session.forget(None, &std::mem::take(&mut self.asked));
                self.reply = Some(self.session.send(request, &self.context));
                None
            }
            Step::Done(answer) => {
                self.end();
                Some(answer)
            }
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        self.reply = None;
        self.asking.clear();
        self.session.forget(Some(self.call.id()), &std::mem::take(&mut self.asked));
    }
}

impl Stream for CallReply {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            match this.cell.look(cx) {
                Found::Cancelled => {
                    this.end();
                    return Poll::Ready(None);
                }
                Found::Message(response) => {
                    if let Some(step) = this.call.handle_response(&response)
                        && let Some(message) = this.take(step)
                    {
                        return Poll::Ready(Some(Ok(message)));
                    }
                    continue;
                }
                Found::Nothing => {}
            }
            if let Some(request) = this.asking.pop_front() {
                return Poll::Ready(Some(Ok(request)));
            }
            let Some(reply) = &mut this.reply else { return Poll::Pending };
            let step = match Pin::new(reply).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(message))) => {
                    let (session, cell) = (&this.session, &this.cell);
                    this.call.handle_reply(message, || session.question(cell))
                }
                Poll::Ready(Some(Err(error))) => {
                    this.end();
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => {
                    this.end();
                    return Poll::Ready(None);
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

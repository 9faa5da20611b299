//! Messages of a session that wait to be POSTed.

use std::collections::VecDeque;
use std::mem;
use std::task::Context;

use crossway_proto::{Kind, Message};
use crossway_service::{Closing, Outlet, Reason, WakerSlot};
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::ClientLimits;
use super::session::Session;

/// The outgoing queue of a session.
pub(super) struct Outbox {
    limits: ClientLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Requests and notifications.
    ordered: VecDeque<Message>,
    /// Cancellations and responses: these don't wait for earlier messages, which may be waiting for them.
    urgent: VecDeque<Message>,
    bytes: usize,
    /// The session's state, while it has no stream and nothing to send.
    parked: Option<Session>,
    driver: WakerSlot,
    is_hung_up: bool,
    is_over: bool,
    /// Dropped when the session is over, which notifies those who wait for that.
    closings: Vec<oneshot::Sender<()>>,
}

/// The state of the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The client has hung up.
    pub(super) is_hung_up: bool,
    /// Nothing is queued.
    pub(super) is_empty: bool,
}

impl Outbox {
    pub(super) fn new(limits: ClientLimits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Keeps a session until the client sends something. Returns it if there is something to do at once.
    pub(super) fn park(&self, session: Session) -> Option<Session> {
        let mut state = self.state();
        if state.is_hung_up || !state.is_empty() {
            return Some(session);
        }
        state.parked = Some(session);
        None
    }

    /// Removes the next message that may be sent now.
    pub(super) fn pop(&self, may_go: impl Fn(&Message) -> bool) -> Option<Message> {
        let mut state = self.state();
        let message = match state.urgent.iter().position(&may_go) {
            Some(at) => state.urgent.remove(at),
            None if state.ordered.front().is_some_and(may_go) => state.ordered.pop_front(),
            None => None,
        }?;
        state.bytes -= message.len();
        if state.is_empty() {
            // An idle session releases memory that a busy one needed.
            state.ordered.shrink_to(8);
            state.urgent.shrink_to(8);
        }
        Some(message)
    }

    /// Removes all queued messages.
    pub(super) fn drain(&self) -> impl Iterator<Item = Message> + use<> {
        let mut state = self.state();
        state.bytes = 0;
        mem::take(&mut state.urgent).into_iter().chain(mem::take(&mut state.ordered))
    }

    /// The client's state; the task is woken when it changes.
    pub(super) fn watch(&self, cx: &mut Context<'_>) -> Standing {
        let mut state = self.state();
        state.driver.register(cx.waker());
        Standing { is_hung_up: state.is_hung_up, is_empty: state.is_empty() }
    }

    /// Ends the session: no messages are accepted from now on.
    pub(super) fn end(&self) {
        let mut state = self.state();
        *state = State { is_hung_up: true, is_over: true, ..State::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.ordered.is_empty() && self.urgent.is_empty()
    }

    /// Removes a queued request that its client has cancelled. Returns whether there was one.
    fn take_back(&mut self, cancellation: &Message) -> bool {
        let id = cancellation.cancelled_id();
        let at = self.ordered.iter().position(|message| message.is_request() && message.id() == id);
        let request = at.and_then(|at| self.ordered.remove(at));
        self.bytes -= request.as_ref().map_or(0, Message::len);
        request.is_some()
    }
}

impl Outlet for Outbox {
    fn send(&self, message: Message) -> Result<(), Reason> {
        let is_cancellation = is_cancellation(&message);
        let mut state = self.state();
        if state.is_hung_up || state.is_over {
            // A session that is ending accepts only the cancellations of its calls.
            if !is_cancellation || state.is_over {
                return Err(Reason::Closing);
            }
        }
        if is_cancellation && state.take_back(&message) {
            return Ok(());
        }
        if state.ordered.len() + state.urgent.len() >= self.limits.queued_messages
            || state.bytes >= self.limits.queued_bytes
        {
            return Err(Reason::OverLimit(
                "the MCP server does not take the messages that wait for it".into(),
            ));
        }
        if state.parked.is_some() {
            let Ok(runtime) = Handle::try_current() else {
                return Err(Reason::Unavailable("there is no tokio runtime to connect in".into()));
            };
            if let Some(session) = state.parked.take() {
                runtime.spawn(session.run());
            }
        }
        state.bytes += message.len();
        let is_urgent = is_cancellation || message.is_response();
        if is_urgent {
            state.urgent.push_back(message)
        } else {
            state.ordered.push_back(message)
        }
        state.driver.wake();
        Ok(())
    }

    fn hang_up(&self) {
        let parked = {
            let mut state = self.state();
            state.is_hung_up = true;
            state.driver.wake();
            state.parked.take()
        };
        if let Some(session) = parked {
            session.end(Reason::Closing);
        }
    }

    fn close(&self) -> Closing {
        self.hang_up();
        let mut state = self.state();
        if state.is_over {
            return Box::pin(std::future::ready(()));
        }
        let (closing, closed) = oneshot::channel();
        state.closings.push(closing);
        Box::pin(async {
            // The sender is dropped when the session is over.
            let _ = closed.await;
        })
    }
}

/// Whether a message cancels a request.
pub(super) fn is_cancellation(message: &Message) -> bool {
    message.kind() == Kind::Notification && message.is_method("notifications/cancelled")
}

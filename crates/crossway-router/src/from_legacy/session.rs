//! One legacy client's session.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crossway_era::from_legacy::{self, ClientAction, SPOKEN};
use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{Ask, Call, CallError, Closing, Connection, Context, Link, Origin, Reason, Reply};
use parking_lot::{Mutex, MutexGuard};

use super::listening::{self, Hearing, Listeners};
use super::reply::CallReply;
use crate::ClientSession;
use crate::mailbox::Mailbox;

/// One client's session, and its way to the upstream.
pub(super) struct Session {
    pub(super) link: Link,
    origin: Origin,
    state: Mutex<State>,
    listeners: Listeners,
}

#[derive(Default)]
struct State {
    machine: from_legacy::Session,
    /// Calls by the client's id, for cancellation.
    calls: HashMap<RequestId, Weak<Mailbox>>,
    /// Calls by the ids of the server requests that they wait for.
    asked: HashMap<RequestId, Weak<Mailbox>>,
    next_question: u64,
    is_closed: bool,
}

impl Session {
    pub(super) fn new(link: Link) -> Self {
        Self { link, origin: Origin::unique(), state: Mutex::default(), listeners: Listeners::default() }
    }

    /// Sends a modern request on the client's behalf.
    pub(super) fn send(&self, request: Message, context: &Context) -> Reply {
        let mut context = context.clone();
        context.origin = self.origin;
        context.revision = Some(SPOKEN);
        context.extensions.insert(ClientSession(self.origin));
        self.link.call(Call::message(request, context))
    }

    /// A request for the messages that belong to no call and that pass this filter, which is JSON text.
    pub(super) fn listen_request(&self, filter: &[u8]) -> Option<Message> {
        let params = [br#"{"notifications":"#, filter, b"}"].concat();
        self.state().machine.request_of("subscriptions/listen", &params)
    }

    pub(super) fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// A number from 0 to 1 that spreads the actions of all sessions over time.
    pub(super) fn spread(&self) -> f64 {
        let mixed = self.origin.as_u64().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        f64::from(u16::try_from(mixed >> 48).unwrap_or_default()) / f64::from(u16::MAX)
    }

    /// A new id for a server request, unique within the session.
    pub(super) fn question(&self, mailbox: &Arc<Mailbox>) -> RequestId {
        let mut state = self.state();
        state.next_question += 1;
        let id = RequestId::from(format!("crossway-ask-{}", state.next_question).as_str());
        state.asked.insert(id.clone(), Arc::downgrade(mailbox));
        id
    }

    /// Records that the call no longer waits for answers to these questions.
    pub(super) fn forget_questions(&self, asked: &[RequestId]) {
        if asked.is_empty() {
            return;
        }
        let mut state = self.state();
        for id in asked {
            state.asked.remove(id);
        }
    }

    /// The call has ended.
    pub(super) fn forget_call(&self, id: &RequestId, mailbox: &Arc<Mailbox>) {
        let mut state = self.state();
        // A client that has two calls of one id can cancel the later one.
        let Some((id, known)) = state.calls.remove_entry(id) else { return };
        if !std::ptr::eq(known.as_ptr(), Arc::as_ptr(mailbox)) {
            state.calls.insert(id, known);
        }
    }

    fn take(self: &Arc<Self>, message: Message, context: Context) -> Reply {
        let mut state = self.state();
        if state.is_closed {
            return Reply::failed(CallError::not_sent(Reason::Closing));
        }
        match state.machine.handle_message(message) {
            ClientAction::Answered(answer) => Reply::once(answer),
            ClientAction::Nothing => Reply::accepted(),
            ClientAction::Refiltered(answer) => {
                let number = self.listeners.want(Hearing::Open(state.machine.filter()));
                drop(state);
                self.listeners.answer_when_settled(number, answer)
            }
            ClientAction::Discover(request) => {
                drop(state);
                self.discover(request, context)
            }
            ClientAction::Notify(message) => {
                drop(state);
                self.send(message, &context)
            }
            ClientAction::Call(call) => {
                let mailbox = Arc::new(Mailbox::default());
                state.calls.insert(call.id().clone(), Arc::downgrade(&mailbox));
                drop(state);
                Reply::stream(CallReply::new(Arc::clone(self), call, mailbox, context))
            }
            ClientAction::Cancelled(id) => {
                let mailbox = state.calls.remove(&id).and_then(|mailbox| mailbox.upgrade());
                drop(state);
                if let Some(mailbox) = mailbox {
                    mailbox.cancel();
                }
                Reply::accepted()
            }
            ClientAction::Response(response) => {
                let mailbox = response
                    .id()
                    .and_then(|id| state.asked.remove(&id))
                    .and_then(|mailbox| mailbox.upgrade());
                drop(state);
                // An answer to an unknown question is dropped.
                if let Some(mailbox) = mailbox {
                    mailbox.deliver(response);
                }
                Reply::accepted()
            }
        }
    }

    fn discover(self: &Arc<Self>, request: Message, context: Context) -> Reply {
        let session = Arc::clone(self);
        Reply::pending(async move {
            let mut reply = session.send(request, &context);
            while let Some(item) = reply.next().await {
                match item {
                    Ok(answer) if matches!(answer.kind(), Kind::Result | Kind::Error) => {
                        let mut state = session.state();
                        let Some(answer) = state.machine.handle_discovered(&answer) else { break };
                        session.listeners.want(match state.machine.revision() {
                            Some(_) => Hearing::Open(state.machine.filter()),
                            None => Hearing::NotYet,
                        });
                        drop(state);
                        return Reply::once(answer);
                    }
                    Ok(_) => {}
                    Err(error) => return Reply::failed(error),
                }
            }
            Reply::failed(CallError::unknown(Reason::InvalidAnswer("there was none".into())))
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Ends the session. Its calls fail, since their clients wait for answers; it is unknown whether the
    /// server has carried them out.
    fn close(&self) {
        let mailboxes: Vec<_> = {
            let mut state = self.state();
            state.is_closed = true;
            state.calls.drain().filter_map(|(_, mailbox)| mailbox.upgrade()).collect()
        };
        for mailbox in mailboxes {
            mailbox.fail(CallError::unknown(Reason::Closing));
        }
        self.listeners.want(Hearing::Over);
    }
}

/// The session as links hold it: it ends with the last of them.
pub(super) struct FromLegacyConnection(Arc<Session>);

impl FromLegacyConnection {
    pub(super) fn new(session: Session) -> Self {
        Self(Arc::new(session))
    }
}

impl Connection for FromLegacyConnection {
    fn call(&self, call: Call) -> Reply {
        let is_modern = call.is_modern();
        match call.ask {
            Ask::Message(_) if is_modern => self.0.link.call(call),
            Ask::Message(message) => self.0.take(message, call.context),
            Ask::Listen => listening::listen(&self.0, call.context),
        }
    }

    fn close(&self) -> Closing {
        self.0.close();
        Box::pin(std::future::ready(()))
    }
}

impl Drop for FromLegacyConnection {
    fn drop(&mut self) {
        // Replies that are still read continue; listeners are told that nothing more comes.
        self.0.listeners.want(Hearing::Over);
    }
}

//! Multiplexes many calls over one two-way pipe of messages.
//!
//! stdio, HTTP+SSE and in-memory pipes carry messages of many calls in one stream each way. A [`Mux`] gives
//! each call an id of the connection's own, finds the call that each message of the upstream belongs to, and
//! fails the calls in flight when the pipe ends. The transport gives it an [`Outlet`] and passes it each
//! message that arrives.

mod replies;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crossway_proto::{CallKey, Calls, Kind, Message, NotOpened, Owner};
use parking_lot::{Mutex, MutexGuard};

use crate::{
    Ask, Call, CallError, Closing, Connection, Context, Limits, Link, Outcome, Reason, Reply, Scope,
};
use replies::{Answer, Listening};
use state::{State, Waiting};

/// The way from a [`Mux`] to the upstream. Its methods must not call back into the mux.
pub trait Outlet: Send + Sync + 'static {
    /// Hands a message to the transport, after all earlier ones. Never waits.
    ///
    /// # Errors
    ///
    /// When the message can't be taken: the upstream has not seen it.
    fn send(&self, message: Message) -> Result<(), Reason>;

    /// Hands a client's request to the transport, with its context. Most transports ignore the context.
    ///
    /// # Errors
    ///
    /// As [`send`](Outlet::send).
    fn send_request(&self, message: Message, context: Context) -> Result<(), Reason> {
        let _ = context;
        self.send(message)
    }

    /// Like [`send_request`](Outlet::send_request), called while other calls are in flight or were when the previous one was sent. The
    /// transport may delay the message briefly to batch it with others.
    ///
    /// # Errors
    ///
    /// As [`send`](Outlet::send).
    fn send_request_among_others(&self, message: Message, context: Context) -> Result<(), Reason> {
        self.send_request(message, context)
    }

    /// The last link is gone: the connection is to end.
    fn hang_up(&self);

    /// Ends the connection; see [`Connection::close`].
    fn close(&self) -> Closing {
        self.hang_up();
        Box::pin(std::future::ready(()))
    }
}

/// What to do when the reader of a reply does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Stop reading the upstream until there is room ([`Mux::poll_capacity`]): nothing is lost. For connections
    /// that serve a single client.
    Hold,
    /// End the slow call with an error, so that the others are not held up. For connections that clients
    /// share: the owner of a log message is decided [when it arrives](Mux::accept).
    Fail,
}

impl From<Scope> for Overflow {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Session => Self::Hold,
            Scope::Pooled | Scope::Shared => Self::Fail,
        }
    }
}

/// Turns a two-way pipe of messages into a [`Connection`]. Clones share the connection.
pub struct Mux<O>(Arc<Shared<O>>);

struct Shared<O> {
    outlet: O,
    limits: Limits,
    overflow: Overflow,
    /// Whether a reply is half as full as it may be before its call [fails](Overflow::Fail).
    is_crowded: AtomicBool,
    state: Mutex<State>,
}

impl<O: Outlet> Mux<O> {
    /// Creates a connection that sends its messages through `outlet`.
    pub fn new(outlet: O, limits: Limits, overflow: Overflow) -> Self {
        let state = Mutex::new(State::new(limits.calls_in_flight));
        Self(Arc::new(Shared { outlet, limits, overflow, is_crowded: AtomicBool::new(false), state }))
    }

    /// The connection as a link. When the last clone of it is gone, the outlet is told to
    /// [hang up](Outlet::hang_up).
    pub fn link(&self) -> Link {
        Link::new(MuxConnection(self.clone()))
    }

    /// The outlet.
    pub fn outlet(&self) -> &O {
        &self.0.outlet
    }

    /// Accepts a message of the upstream, and hands it to the call or listener that it belongs to.
    ///
    /// A log message names no call. Where clients share the connection, it goes to the only call that it can
    /// belong to among those in flight when it arrives. If it may belong to another client, it is dropped.
    pub fn accept(&self, mut message: Message) {
        let mut state = self.state();
        match message.kind() {
            Kind::Result | Kind::Error => match state.answered(&mut message) {
                Some(key) => state.finish(key, Ok(message)),
                None => state.count_stray(),
            },
            Kind::Notification => match state.calls.owner(&mut message) {
                Owner::Call(key) => self.interim(&mut state, key, message),
                Owner::Late => state.count_stray(),
                Owner::Nobody => self.unowned(state, message),
            },
            Kind::Request => self.unowned(state, message),
        }
    }

    /// Ready when the transport may read more from the upstream. Call it before each read.
    ///
    /// With [`Overflow::Fail`] there is always room, but a pending result lets readers drain their queues first, so that a burst does not
    /// fail their calls.
    pub fn poll_capacity(&self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if self.0.overflow == Overflow::Fail {
            if self.0.is_crowded.swap(false, Ordering::Relaxed) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(());
        }
        let mut state = self.state();
        if state.is_full(&self.0.limits) {
            state.capacity.register(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Whether to ask for [capacity](Mux::poll_capacity) before the next of several messages that were read together.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.0.is_crowded.load(Ordering::Relaxed)
    }

    /// Ends the connection, because the pipe has ended: calls in flight and later calls fail. If `initialize`
    /// has opened a session on it, later calls are told that the session has ended, so that their client
    /// opens a new one.
    ///
    /// `is_unsent` tells whether the request of a call was never sent; the outcome of the others is unknown.
    pub fn end(&self, reason: Reason, is_unsent: impl Fn(CallKey) -> bool) {
        let mut state = self.state();
        if state.ended.is_some() {
            return;
        }
        let keys: Vec<CallKey> = state.calls.iter_mut().map(|(key, _)| key).collect();
        for key in keys.into_iter().filter(|key| !state.calls.is_answered(*key)).collect::<Vec<_>>() {
            let error = if is_unsent(key) { CallError::not_sent } else { CallError::unknown };
            state.finish(key, Err(error(reason.clone())));
        }
        state.ended = Some(reason);
        state.listeners.wake_all();
        state.capacity.wake();
    }

    /// Fails one call: its request could not be delivered, or what arrived for it is not an answer. Has no
    /// effect on a call that has ended.
    pub fn fail(&self, key: CallKey, error: CallError) {
        self.state().finish(key, Err(error));
    }

    /// Fails all calls in flight, and keeps the connection: one of them has lost its answer, and it is not
    /// known which.
    pub fn fail_all(&self, error: &CallError) {
        let mut state = self.state();
        let keys: Vec<CallKey> = state.calls.iter_mut().map(|(key, _)| key).collect();
        for key in keys {
            state.finish(key, Err(error.clone()));
        }
    }

    /// The call in flight, if there is exactly one: an answer that names no call is then meant for it.
    #[must_use]
    pub fn only_call(&self) -> Option<CallKey> {
        self.state().calls.newest().filter(|(_, is_only)| *is_only).map(|(key, _)| key)
    }

    /// The number of calls without an answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let mut state = self.state();
        let keys: Vec<CallKey> = state.calls.iter_mut().map(|(key, _)| key).collect();
        keys.into_iter().filter(|key| !state.calls.is_answered(*key)).count()
    }

    /// The number of the upstream's messages that belonged to nobody: answers to no question, second answers,
    /// and answers and progress after a cancellation.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.state().strays
    }

    /// Hands an interim message to its call.
    fn interim(&self, state: &mut State, key: CallKey, message: Message) {
        let Some(waiting) = state.calls.state_mut(key) else { return };
        if waiting.end.is_some() {
            if message.is_request() {
                let error =
                    CallError::not_sent(Reason::OverLimit("the call that it belongs to has ended".into()));
                let _ = self.0.outlet.send(error.to_message(message.id().as_ref()));
            }
            return state.count_stray();
        }
        waiting.queue.push(message);
        let is_over = waiting.queue.is_over(&self.0.limits);
        if self.0.overflow == Overflow::Fail && waiting.queue.is_half_over(&self.0.limits) {
            self.0.is_crowded.store(true, Ordering::Relaxed);
        }
        let waker = waiting.waker.take();
        if is_over && self.0.overflow == Overflow::Fail {
            waiting.queue.clear();
            let reason = Reason::OverLimit("messages came faster than the client reads them".into());
            state.finish(key, Err(CallError::new(reason, Outcome::Unknown)));
            let _ = self.0.outlet.send(Calls::<Waiting>::cancellation(key, "the client is too slow"));
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Finds a stream for a message that does not name its call.
    ///
    /// While a single call is in flight, the message most likely belongs to it, and goes out in order with
    /// its answer. Otherwise it goes to the newest listener, or, if nobody listens, to the newest call. A log
    /// message goes to nobody if it may belong to calls of several clients, in flight or just cancelled,
    /// since nothing says whose it is (2026-07-28, basic/transports/stdio: "there are no per-request
    /// streams"). Changes of lists and resources never belong to a call.
    fn unowned(&self, mut state: MutexGuard<'_, State>, message: Message) {
        let of_a_call = message.is_request()
            || ["notifications/message", "notifications/cancelled", "notifications/elicitation/complete"]
                .iter()
                .any(|method| message.is_method(method));
        let is_log = message.is_method("notifications/message");
        // A listener can no longer tell whose calls were in flight when it arrived.
        let is_shared_log = is_log && self.0.overflow == Overflow::Fail;
        let is_unheard = state.listeners.are_none();
        let goes_to_a_call = |is_only: bool| of_a_call && (is_only || is_shared_log || is_unheard);
        match state.calls.newest().filter(|(_, is_only)| goes_to_a_call(*is_only)) {
            Some(_) if is_log => match state.calls.log_owner() {
                Some(key) => self.interim(&mut state, key, message),
                None => state.count_stray(),
            },
            Some((key, _)) => self.interim(&mut state, key, message),
            None if is_shared_log && state.calls.may_log_for_ended_calls() => state.count_stray(),
            // "The receiver **MUST** respond promptly with an empty response" (2025-11-25, basic/utilities/ping), and a client that has
            // neither a stream open nor a call in flight may not come back for minutes.
            None if message.is_method("ping") && message.is_request() && state.is_deserted() => {
                drop(state);
                let pong = message.id().and_then(|id| Message::result_of(&id, b"{}").ok());
                let _ = pong.map(|pong| self.0.outlet.send(pong));
            }
            None => {
                let overflow = state.announce(message, &self.0.limits, self.0.overflow);
                drop(state);
                for message in overflow.into_iter().filter(Message::is_request) {
                    let error =
                        CallError::not_sent(Reason::OverLimit("no client listens for requests".into()));
                    let _ = self.0.outlet.send(error.to_message(message.id().as_ref()));
                }
            }
        }
    }

    fn request(&self, mut message: Message, context: Context) -> Reply {
        let origin = context.origin.as_u64();
        let is_initialize = message.is_method("initialize");
        let (key, is_alone) = {
            let mut state = self.state();
            if let Some(reason) = state.refusal(is_initialize) {
                return Reply::failed(CallError::not_sent(reason));
            }
            state.is_session |= is_initialize;
            match state.calls.open(origin, &mut message, Waiting::default()) {
                Ok(key) => (key, state.is_alone()),
                Err(NotOpened::Full) => {
                    return Reply::failed(CallError::not_sent(Reason::OverLimit(
                        "the connection has too many calls in flight".into(),
                    )));
                }
                // A message without an id gets no answer.
                Err(NotOpened::NoRequest) => return Reply::accepted(),
            }
        };
        let sent = if is_alone {
            self.0.outlet.send_request(message, context)
        } else {
            self.0.outlet.send_request_among_others(message, context)
        };
        if let Err(reason) = sent {
            let mut state = self.state();
            state.calls.close(key);
            return Reply::failed(CallError::not_sent(state.reason_for_call(&reason, is_initialize)));
        }
        Reply::stream(Answer::new(self.clone(), key, is_initialize))
    }

    fn notify(&self, mut message: Message, origin: u64) -> Reply {
        let mut state = self.state();
        if let Some(reason) = state.refusal(false) {
            return Reply::failed(CallError::not_sent(reason));
        }
        if message.is_method("notifications/cancelled") && message.kind() == Kind::Notification {
            // A call that has been answered needs no cancellation, and one that was never made can't have
            // one.
            let Some(key) = state.calls.cancelled(origin, &mut message) else { return Reply::accepted() };
            state.cancel(key);
        }
        drop(state);
        match self.0.outlet.send(message) {
            Ok(()) => Reply::accepted(),
            Err(reason) => Reply::failed(CallError::not_sent(self.state().reason_for_call(&reason, false))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

impl<O> Clone for Mux<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O> std::fmt::Debug for Mux<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mux")
    }
}

/// The connection that links hold: it ends with the last of them, although the transport still has the mux.
struct MuxConnection<O: Outlet>(Mux<O>);

impl<O: Outlet> Connection for MuxConnection<O> {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) if message.is_request() => self.0.request(message, call.context),
            Ask::Message(message) => self.0.notify(message, call.context.origin.as_u64()),
            Ask::Listen => Reply::stream(Listening::new(self.0.clone())),
        }
    }

    fn close(&self) -> Closing {
        self.0.outlet().close()
    }
}

impl<O: Outlet> Drop for MuxConnection<O> {
    fn drop(&mut self) {
        self.0.outlet().hang_up();
    }
}

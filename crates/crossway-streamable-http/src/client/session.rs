//! State of a link's session and of its calls in flight.

use std::sync::{Arc, Weak};
use std::task::Context;

use crossway_proto::http_rules::limits::SESSION_ID_BYTES;
use crossway_proto::http_rules::names::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID};
use crossway_proto::http_rules::session as rules;
use crossway_proto::{Message, RequestId, Revision};
use crossway_service::{CallError, ErrorText, Reason, Scope, WakerSlot};
use http::{HeaderMap, HeaderValue};
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;

use super::ahead::{self, Ahead};
use super::errands::Errand;
use super::listen::{Opened, Opening, Standing};
use super::upstream::Shared;

/// The state of a link, with its session if it has one: stateless requests need none.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    /// The key of this link in the upstream's table.
    key: usize,
    call_limit: usize,
    /// Whether several clients may use the link.
    pub(super) is_shared: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    badge: Badge,
    /// Only 2025-03-26 allows batches.
    allows_batches: bool,
    calls: Slab<Slot>,
    /// Whether the session's first standing stream is being opened; calls wait for that.
    is_opening: bool,
    /// Whether the session has had a listener, or a stream opened ahead of one.
    had_listener: bool,
    /// Whether the client has declared that it accepts requests of the server.
    may_be_asked: bool,
    ahead: Ahead,
    /// The numbers of the listeners; the newest is the last.
    listeners: Vec<u64>,
    next_listener: u64,
    /// The stream that the listeners share.
    standing: Weak<Mutex<Standing>>,
    /// The last event id of the standing stream, kept for the next listener.
    last_event_id: Option<Vec<u8>>,
    /// Whether the last link was dropped; the session ends with the last reply.
    is_abandoned: bool,
}

/// The phase of a legacy session (2025-11-25, basic/lifecycle).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// No session.
    #[default]
    Fresh,
    /// `initialize` was answered.
    Opened,
    /// `notifications/initialized` was accepted: the standing stream may open.
    Initialized,
    /// The upstream no longer knows the session.
    Lost,
    /// Closed by us.
    Closed,
}

/// The session id and the negotiated revision, which each request of a session sends.
#[derive(Debug, Clone, Default)]
pub(super) struct Badge {
    pub(super) session: Option<HeaderValue>,
    pub(super) version: Option<HeaderValue>,
    /// Whether the request is part of a probe, and so contains no data of a client.
    pub(super) is_of_probe: bool,
}

impl Badge {
    /// The badge of a probe's requests.
    pub(super) fn of_probe() -> Self {
        Self { is_of_probe: true, ..Self::default() }
    }

    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        if let Some(session) = &self.session {
            headers.insert(MCP_SESSION_ID.clone(), session.clone());
        }
        if let Some(version) = &self.version {
            headers.insert(MCP_PROTOCOL_VERSION.clone(), version.clone());
        }
    }
}

/// A call in flight, or a listener.
struct Slot {
    origin: u64,
    /// `None` for a listener.
    id: Option<RequestId>,
    is_modern: bool,
    is_cancelled: bool,
    waker: WakerSlot,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, scope: Scope) -> Arc<Self> {
        let call_limit = match scope {
            Scope::Session | Scope::Pooled => shared.limits.session_calls,
            Scope::Shared => shared.limits.shared_calls,
        };
        Arc::new_cyclic(|session| {
            let (key, is_closed) = shared.ends.enter(session);
            let phase = if is_closed { Phase::Closed } else { Phase::Fresh };
            let state = Mutex::new(State { phase, ..State::default() });
            Self { shared, key, call_limit, is_shared: !scope.is_session(), state }
        })
    }

    /// Adds a request, or a listener, which has no id.
    pub(super) fn open(
        self: &Arc<Self>,
        origin: u64,
        id: Option<RequestId>,
        is_modern: bool,
    ) -> Result<Ticket, CallError> {
        let mut state = self.state();
        state.check(is_modern)?;
        if state.calls.len() >= self.call_limit {
            let what = "the connection has too many calls in flight";
            return Err(CallError::not_sent(Reason::OverLimit(what.into())));
        }
        let is_listener = id.is_none();
        if is_listener && !state.had_listener {
            state.had_listener = true;
            state.is_opening = true;
        }
        let may_be_held = state.is_opening && !is_listener && !is_modern && state.phase != Phase::Fresh;
        let key = state.calls.insert(Slot {
            origin,
            id,
            is_modern,
            is_cancelled: false,
            waker: WakerSlot::default(),
        });
        Ok(Ticket { session: Arc::clone(self), key, may_be_held })
    }

    /// Checks that a message can be sent.
    pub(super) fn check(&self, is_modern: bool) -> Result<(), CallError> {
        self.state().check(is_modern)
    }

    /// Prepares the link for `initialize`, which is sent without a session. An earlier session is ended.
    pub(super) fn renew(self: &Arc<Self>, initialize: &Message) {
        let mut state = self.state();
        if state.phase == Phase::Closed {
            return;
        }
        state.may_be_asked = ahead::may_be_asked(initialize);
        state.ahead = Ahead::None;
        state.had_listener = state.is_heard();
        let badge = std::mem::take(&mut state.badge);
        state.phase = Phase::Fresh;
        state.last_event_id = None;
        state.standing = Weak::new();
        drop(state);
        if badge.session.is_some() {
            self.shared.run(Errand::Delete(badge));
        }
    }

    /// Releases waiting calls: the session's first standing stream has opened, or won't soon.
    pub(super) fn release(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.is_opening) {
            state.wake(|slot| slot.id.is_some());
        }
    }

    /// Sets the session id from the upstream.
    pub(super) fn assign(&self, id: HeaderValue) {
        self.state().badge.session = Some(id);
    }

    /// Processes the answer to `initialize`.
    pub(super) fn negotiated(&self, answer: &Message) {
        let mut state = self.state();
        let version = answer.initialize_version().filter(|_| answer.result().is_some());
        let Some(version) = version else {
            state.badge = Badge::default();
            return;
        };
        state.allows_batches = Revision::parse(&version).is_some_and(Revision::allows_batches);
        state.badge.version = HeaderValue::from_str(&version).ok();
        if state.phase != Phase::Closed {
            state.phase = Phase::Opened;
        }
    }

    /// Records that `notifications/initialized` was accepted.
    pub(super) fn initialized(self: &Arc<Self>) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Fresh | Phase::Opened) {
            state.phase = Phase::Initialized;
            state.wake(|slot| slot.id.is_none());
            drop(state);
            ahead::open(self);
        }
    }

    /// Decides whether to open the standing stream ahead of its listener. If so, calls wait for it from now on.
    pub(super) fn begin_ahead(&self) -> bool {
        let mut state = self.state();
        let begins = state.may_be_asked && !state.had_listener;
        if begins {
            state.had_listener = true;
            state.is_opening = true;
            state.ahead = Ahead::Opening;
        }
        begins
    }

    /// Stores the stream opened ahead for the listener, or drops it if the session with this badge is gone.
    pub(super) fn put_ahead(&self, badge: &Badge, opened: Opened) {
        let mut state = self.state();
        if matches!(state.ahead, Ahead::Opening) && state.badge.session == badge.session {
            state.ahead = Ahead::Ready(opened);
            state.wake(|slot| slot.id.is_none());
        }
    }

    /// Passes the unfinished opening on to the listener, or drops it if there is none.
    pub(super) fn hand_ahead(&self, badge: &Badge, opening: Opening) {
        let mut state = self.state();
        if matches!(state.ahead, Ahead::Opening) && state.badge.session == badge.session {
            let is_heard = state.is_heard();
            state.ahead = if is_heard { Ahead::Begun(opening) } else { Ahead::None };
            state.had_listener = is_heard;
            state.wake(|slot| slot.id.is_none());
        }
    }

    /// Takes the stream opened ahead, for the session's listener.
    pub(super) fn take_ahead(&self) -> Ahead {
        let mut state = self.state();
        match state.ahead {
            Ahead::Opening => Ahead::Opening,
            _ => std::mem::take(&mut state.ahead),
        }
    }

    /// Drops a stream opened ahead that no listener has taken.
    pub(super) fn drop_ahead(&self, badge: &Badge) {
        let mut state = self.state();
        if state.badge.session == badge.session {
            let unused = std::mem::take(&mut state.ahead);
            // A later listener opens the session's first stream.
            state.had_listener &= matches!(unused, Ahead::None);
            state.wake(|slot| slot.id.is_none());
            drop(state);
            drop(unused);
        }
    }

    /// Records that the upstream does not know the session with this badge, or no longer does.
    pub(super) fn lost(&self, badge: &Badge) {
        let mut state = self.state();
        // The badge may be that of an earlier session.
        if state.badge.session == badge.session && state.phase != Phase::Closed {
            state.phase = Phase::Lost;
            state.badge = Badge::default();
            state.ahead = Ahead::None;
            state.last_event_id = None;
            state.standing = Weak::new();
            state.wake(|slot| slot.id.is_none());
        }
    }

    /// Cancels the call with this id. Returns whether it is modern, or `None` if there is no such call.
    pub(super) fn cancel(&self, origin: u64, id: &RequestId) -> Option<bool> {
        let mut state = self.state();
        let mut slots = state.calls.iter_mut().map(|(_, slot)| slot);
        let slot =
            slots.find(|slot| slot.origin == origin && !slot.is_cancelled && slot.id.as_ref() == Some(id))?;
        slot.is_cancelled = true;
        let is_modern = slot.is_modern;
        slot.waker.wake();
        Some(is_modern)
    }

    /// Closes the link. Returns the badge of the session to end, if there is one.
    pub(super) fn close(&self) -> Option<Badge> {
        let mut state = self.state();
        state.phase = Phase::Closed;
        state.ahead = Ahead::None;
        state.wake(|_| true);
        Some(std::mem::take(&mut state.badge)).filter(|badge| badge.session.is_some())
    }

    /// Records that the last link was dropped: the session ends with the last reply.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.is_abandoned = true;
        let badge = state.leave();
        drop(state);
        self.end(badge);
    }

    pub(super) fn badge(&self) -> Badge {
        self.state().badge.clone()
    }

    /// Whether `initialize` was answered on this link.
    pub(super) fn has_session(&self) -> bool {
        matches!(self.state().phase, Phase::Opened | Phase::Initialized)
    }

    pub(super) fn allows_batches(&self) -> bool {
        self.state().allows_batches
    }

    /// Adds a listener. Returns its number, and the stream that it shares with earlier ones.
    pub(super) fn enter(self: &Arc<Self>) -> (u64, Arc<Mutex<Standing>>) {
        let mut state = self.state();
        state.next_listener += 1;
        let number = state.next_listener;
        state.listeners.push(number);
        let standing = state.standing.upgrade().unwrap_or_else(|| {
            let standing = Arc::new(Mutex::new(Standing::new(self)));
            state.standing = Arc::downgrade(&standing);
            standing
        });
        (number, standing)
    }

    /// Whether a listener is the newest, and so reads the stream.
    pub(super) fn has_turn(&self, number: u64) -> bool {
        self.state().listeners.last() == Some(&number)
    }

    /// Removes a listener, and passes its turn on. Returns whether none is left.
    pub(super) fn leave(&self, number: u64) -> bool {
        let mut state = self.state();
        state.listeners.retain(|listener| *listener != number);
        state.wake(|slot| slot.id.is_none());
        state.listeners.is_empty()
    }

    /// Takes the last event id of the standing stream.
    pub(super) fn take_last_event_id(&self) -> Option<Vec<u8>> {
        self.state().last_event_id.take()
    }

    pub(super) fn keep_last_event_id(&self, id: &[u8]) {
        self.state().last_event_id = Some(id.to_vec());
    }

    fn end(&self, badge: Option<Badge>) {
        if let Some(badge) = badge {
            self.shared.run(Errand::Delete(badge));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.ends.leave(self.key);
    }
}

impl State {
    fn check(&self, is_modern: bool) -> Result<(), CallError> {
        match self.phase {
            Phase::Closed => Err(CallError::not_sent(Reason::Closing)),
            Phase::Lost if !is_modern => Err(CallError::not_sent(Reason::SessionEnded)),
            _ => Ok(()),
        }
    }

    /// Whether there is a listener.
    fn is_heard(&self) -> bool {
        self.calls.iter().any(|(_, slot)| slot.id.is_none())
    }

    fn wake(&mut self, which: impl Fn(&Slot) -> bool) {
        for (_, slot) in &mut self.calls {
            if which(slot) {
                slot.waker.wake();
            }
        }
    }

    /// Closes the link if nobody is left who could use it. Returns the session to end.
    fn leave(&mut self) -> Option<Badge> {
        if !self.is_abandoned || !self.calls.is_empty() || self.phase == Phase::Closed {
            return None;
        }
        self.phase = Phase::Closed;
        self.ahead = Ahead::None;
        Some(std::mem::take(&mut self.badge)).filter(|badge| badge.session.is_some())
    }
}

/// What has happened to a waiting call from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Open(Phase),
    Cancelled,
    Closed,
}

/// A call's place in its session's table, from which dropping this removes it.
pub(super) struct Ticket {
    pub(super) session: Arc<Session>,
    key: usize,
    /// Whether the standing stream was being opened when the call was made.
    may_be_held: bool,
}

impl Ticket {
    /// Returns what has happened to the call. `cx` is woken when that changes.
    pub(super) fn fate(&self, cx: &Context<'_>) -> Fate {
        let mut state = self.session.state();
        let phase = state.phase;
        let Some(slot) = state.calls.get_mut(self.key) else { return Fate::Closed };
        if slot.is_cancelled {
            return Fate::Cancelled;
        }
        if phase == Phase::Closed {
            return Fate::Closed;
        }
        slot.waker.register(cx.waker());
        Fate::Open(phase)
    }
}

impl Ticket {
    /// Whether the call has to wait for the session's first standing stream. Call this after [`fate`](Ticket::fate),
    /// whose waker is woken when that changes.
    pub(super) fn is_held(&self) -> bool {
        self.may_be_held && self.session.state().is_opening
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.session.state();
        state.calls.try_remove(self.key);
        // An idle session holds no table, since there are many sessions.
        if state.calls.is_empty() && state.calls.capacity() > 16 {
            state.calls.shrink_to_fit();
        }
        let badge = state.leave();
        drop(state);
        self.session.end(badge);
    }
}

/// Reads the session id of an upstream.
pub(super) fn session_id(headers: &HeaderMap) -> Result<Option<HeaderValue>, ErrorText> {
    let id = rules::session_id(headers).map_err(|_| ErrorText::public(fault_of_id(headers)))?;
    // Copied, because the original shares the buffer of the whole response's head.
    let Some(mut id) = id.and_then(|id| HeaderValue::from_str(id).ok()) else { return Ok(None) };
    id.set_sensitive(true);
    Ok(Some(id))
}

/// What is wrong with the session id of an upstream.
fn fault_of_id(headers: &HeaderMap) -> String {
    let mut ids = headers.get_all(&MCP_SESSION_ID).iter();
    match (ids.next().map_or(0, HeaderValue::len), ids.count()) {
        (_, more @ 1..) => format!("it has {} session ids", more + 1),
        (0, _) => "its session id is empty".to_owned(),
        (length, _) if length > SESSION_ID_BYTES => {
            format!("its session id has {length} bytes, which are more than {SESSION_ID_BYTES}")
        }
        _ => "its session id is not one of visible ASCII characters".to_owned(),
    }
}

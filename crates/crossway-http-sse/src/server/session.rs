//! One client's session, and the table of all of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crossway_proto::{Message, RequestId};
use crossway_service::{Link, Pump};

use crate::limits::ServerLimits;

/// The name of a session: 128 random bits, as hexadecimal digits in URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId(u128);

impl SessionId {
    fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        Ok(Self(u128::from_ne_bytes(bits)))
    }

    /// Reads what [`Display`](fmt::Display) wrote, and nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_ours = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_ours.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// All sessions of a server.
pub(super) struct Sessions {
    limits: ServerLimits,
    table: Mutex<Table>,
    is_draining: AtomicBool,
    is_closed: AtomicBool,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<SessionId, Arc<Session>>,
    /// Who waits for the last one to end.
    waiters: Vec<Waker>,
}

/// Why there is no new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSession {
    Draining,
    TableFull,
    NoRandomness,
}

impl Sessions {
    pub(super) fn new(limits: ServerLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            table: Mutex::default(),
            is_draining: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Opens a session, if there is room for one.
    pub(super) fn open(self: &Arc<Self>, connect: impl FnOnce() -> Link) -> Result<Arc<Session>, NoSession> {
        let id = SessionId::random().map_err(|_| NoSession::NoRandomness)?;
        let mut table = self.table();
        if self.is_draining() {
            return Err(NoSession::Draining);
        }
        if table.sessions.len() >= self.limits.sessions {
            return Err(NoSession::TableFull);
        }
        let state = State { pump: None, waker: None };
        let session = Arc::new(Session {
            id,
            sessions: Arc::clone(self),
            limits: self.limits,
            state: Mutex::new(state),
        });
        table.sessions.insert(id, Arc::clone(&session));
        drop(table);
        session.state().pump = Some(Pump::new(connect(), self.limits.seam));
        Ok(session)
    }

    pub(super) fn find(&self, id: SessionId) -> Option<Arc<Session>> {
        self.table().sessions.get(&id).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.table().sessions.len()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// No new sessions; those that there are end when they are idle, or at once.
    pub(super) fn drain(&self, at_once: bool) {
        let sessions: Vec<_> = {
            let table = self.table();
            self.is_draining.store(true, Ordering::Release);
            self.is_closed.fetch_or(at_once, Ordering::AcqRel);
            table.sessions.values().cloned().collect()
        };
        for session in sessions {
            session.wake();
        }
    }

    /// Ready when there is no session.
    pub(super) fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut table = self.table();
        if table.sessions.is_empty() {
            return Poll::Ready(());
        }
        if !table.waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
            table.waiters.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn remove(&self, id: SessionId) {
        let mut table = self.table();
        table.sessions.remove(&id);
        if table.sessions.len() < table.sessions.capacity() / 4 {
            table.sessions.shrink_to_fit();
        }
        if table.sessions.is_empty() {
            table.waiters.drain(..).for_each(Waker::wake);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere leaves the table whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's session. Its stream ends it, and with that takes it out of the table, which it holds in turn.
pub(super) struct Session {
    id: SessionId,
    sessions: Arc<Sessions>,
    limits: ServerLimits,
    state: Mutex<State>,
}

struct State {
    /// `None` once the session has ended.
    pump: Option<Pump>,
    /// The stream's task.
    waker: Option<Waker>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The session has ended.
    Ended,
    /// Too much of the client's is on its way already, as when it does not read its stream.
    Full,
    /// The server is about to stop.
    Draining,
}

impl Session {
    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    pub(super) fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Takes a message of the client.
    ///
    /// # Errors
    ///
    /// When it is not taken: why, and the id of the request that it was.
    pub(super) fn handle(&self, message: Message) -> Result<(), (NotTaken, Option<RequestId>)> {
        // What is in flight may need responses to end.
        let is_draining = message.is_request() && self.sessions.is_draining();
        let mut state = self.state();
        let reason = match &mut state.pump {
            None => NotTaken::Ended,
            Some(_) if is_draining => NotTaken::Draining,
            Some(pump) if pump.is_full() => NotTaken::Full,
            Some(pump) => {
                pump.handle(message);
                return Ok(());
            }
        };
        Err((reason, message.id().filter(|_| message.is_request())))
    }

    /// The next message for the client; `None` once there will be no more.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.state();
        let Some(pump) = &mut state.pump else { return Poll::Ready(None) };
        if let Poll::Ready(next) = pump.poll_next(cx) {
            return Poll::Ready(next);
        }
        let is_idle = pump.is_idle();
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            slot => *slot = Some(cx.waker().clone()),
        }
        drop(state);
        let is_closed = self.sessions.is_closed.load(Ordering::Acquire);
        let is_stopping = is_closed || is_idle && self.sessions.is_draining();
        if is_stopping { Poll::Ready(None) } else { Poll::Pending }
    }

    /// Ends the session: what is in flight is cancelled, and the upstream's session ended.
    pub(super) fn end(&self) {
        self.sessions.remove(self.id);
        let Some(pump) = self.state().pump.take() else { return };
        let link = pump.link().clone();
        drop(pump);
        let closing = link.close();
        drop(link);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(closing);
        }
    }

    fn wake(&self) {
        if let Some(waker) = &self.state().waker {
            waker.wake_by_ref();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves a pump that can at least be dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_read_as_it_was_written_and_in_no_other_way() {
        let id = SessionId(7);
        assert_eq!(id.to_string(), "00000000000000000000000000000007");
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        for not in [
            "",
            "7",
            "0000000000000000000000000000000G",
            "+0000000000000000000000000000007",
            &"0".repeat(33),
            "0000000000000000000000000000000A",
        ] {
            assert_eq!(SessionId::parse(not), None, "{not}");
        }
    }
}

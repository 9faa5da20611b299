//! The table of sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use crossway_service::{Link, SessionLimiter, SessionOwner, extension_of};
use http::Extensions;
use parking_lot::{Mutex, MutexGuard};

use super::session::{Session, SessionId};
use crate::limits::ServerLimits;

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
    /// Tasks that wait for the last session to end.
    waiters: Vec<Waker>,
}

/// Why no session was opened.
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
    pub(super) fn open(
        self: &Arc<Self>,
        extensions: Extensions,
        connect: impl FnOnce() -> Link,
    ) -> Result<Arc<Session>, NoSession> {
        let owner = extension_of(&extensions).cloned();
        let place = match extension_of::<SessionLimiter>(&extensions) {
            Some(share) => Some(share.try_acquire().ok_or(NoSession::TableFull)?),
            None => None,
        };
        let id = SessionId::random().map_err(|_| NoSession::NoRandomness)?;
        let mut table = self.table();
        if self.is_draining() {
            return Err(NoSession::Draining);
        }
        if table.sessions.len() >= self.limits.sessions {
            return Err(NoSession::TableFull);
        }
        let session = Arc::new(Session::new(id, owner, place, Arc::clone(self), self.limits));
        table.sessions.insert(id, Arc::clone(&session));
        drop(table);
        session.begin(connect(), extensions);
        Ok(session)
    }

    /// The session with this id, if it belongs to this owner.
    pub(super) fn find(&self, id: SessionId, owner: Option<&SessionOwner>) -> Option<Arc<Session>> {
        self.table().sessions.get(&id).filter(|session| session.is_of(owner)).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.table().sessions.len()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Stops accepting sessions; existing ones end when they are idle.
    pub(super) fn drain(&self) {
        let sessions: Vec<_> = {
            let table = self.table();
            self.is_draining.store(true, Ordering::Release);
            table.sessions.values().cloned().collect()
        };
        for session in sessions {
            session.wake();
        }
    }

    /// Stops accepting sessions, and ends the existing ones at once.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.drain();
    }

    /// Ready when there are no sessions.
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

    pub(super) fn remove(&self, id: SessionId) {
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
        self.table.lock()
    }
}

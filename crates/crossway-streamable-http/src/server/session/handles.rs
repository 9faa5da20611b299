//! Sessions with sealed ids, which any process with the key accepts.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crossway_proto::Message;
use crossway_proto::http_rules::{Refusal, session as session_rules};
use crossway_service::{SessionHandles, SessionOwner, SessionState, extension_of, later};
use http::request::Parts;
use http::{Extensions, HeaderValue};
use parking_lot::{Mutex, MutexGuard};
use tracing::debug;

use super::{Session, SessionId};
use crate::server::endpoint::Endpoint;
use crate::server::head::{check_version, draining, no_randomness, too_many_sessions};
use crate::server::limits::{ENDED, INITIALIZE};

/// Issues handles for sessions, and restores sessions of other processes from theirs.
pub(crate) struct Handles {
    handles: Arc<dyn SessionHandles>,
    ended: Mutex<Ended>,
}

/// Sessions that ended before their handles expire; the first ended is in front.
#[derive(Default)]
struct Ended {
    known: HashSet<SessionId>,
    order: VecDeque<(SessionId, u64)>,
}

impl Handles {
    pub(crate) fn new(handles: Arc<dyn SessionHandles>) -> Self {
        Self { handles, ended: Mutex::default() }
    }

    /// The content of a handle: the `params` of `initialize`, unless they are too long.
    pub(crate) fn params_of(initialize: &Message) -> Option<Box<Bytes>> {
        let params = initialize.params().filter(|params| params.len() <= INITIALIZE);
        if params.is_none() {
            debug!("a session keeps an id of this process alone: its client says too much of itself");
        }
        params.map(|params| Box::new(Bytes::copy_from_slice(params)))
    }

    /// Issues the handle of a session that is being opened; `None` if the session has to keep its random id.
    pub(crate) fn issue(&self, session: &Session, params: &Bytes) -> Option<HeaderValue> {
        if session.negotiated.get().is_some() && session.revision().is_none() {
            debug!(
                "a session keeps an id of this process alone: its server speaks no revision that is known"
            );
            return None;
        }
        let state = SessionState::new(
            session.id.number(),
            session.revision(),
            params.clone(),
            later(SystemTime::now(), session.limits().session_life),
        );
        let owner = session.owner.as_ref().map(SessionOwner::as_str);
        let handle = self.handles.issue(&state, owner).filter(|handle| session_rules::is_session_id(handle));
        let Some(handle) = handle.and_then(|handle| HeaderValue::from_str(&handle).ok()) else {
            debug!("a session keeps an id of this process alone: its state does not fit into a handle");
            return None;
        };
        session.sealed_until.store(seconds(state.expires).max(1), Ordering::Relaxed);
        Some(handle)
    }

    /// Finds the session of this handle; restores it if it is not in this process.
    ///
    /// # Errors
    ///
    /// 404 for a handle that does not open, has expired or has ended; 503 when there is no room for the session.
    pub(crate) fn find(
        &self,
        endpoint: &Arc<Endpoint>,
        handle: &str,
        extensions: &Extensions,
    ) -> Result<Arc<Session>, Refusal> {
        let owner = extension_of::<SessionOwner>(extensions);
        let state = self.open(handle, owner).ok_or_else(session_rules::unknown)?;
        let id = SessionId::from_number(state.number);
        if let Some(session) = endpoint.sessions.find(id) {
            return Some(session)
                .filter(|session| session.owner.as_ref() == owner)
                .ok_or_else(session_rules::unknown);
        }
        // Locked until the session is in the table, so that it is restored once, and not while it is ended.
        let mut ended = self.ended();
        if ended.has(id) {
            return Err(session_rules::unknown());
        }
        if let Some(session) = endpoint.sessions.find(id) {
            return Ok(session);
        }
        if endpoint.stop.is_stopped() {
            return Err(draining());
        }
        let slot = endpoint.sessions.reserve(extension_of(extensions)).ok_or_else(too_many_sessions)?;
        let first_stream = getrandom::u32().map_err(|_| no_randomness())?;
        let session = Arc::new(Session::restored(endpoint, state, owner.cloned(), slot, extensions.clone()));
        session.streams().number_from(first_stream);
        endpoint.sessions.insert(Arc::clone(&session));
        endpoint.sessions.keep_swept();
        debug!("a session is taken on");
        Ok(session)
    }

    /// Ends the session of this handle, whether it is in this process or not.
    ///
    /// # Errors
    ///
    /// 404 for a handle that does not open, has expired or has ended already.
    pub(crate) fn end(&self, endpoint: &Endpoint, handle: &str, parts: &Parts) -> Result<(), Refusal> {
        let owner = extension_of::<SessionOwner>(&parts.extensions);
        let state = self.open(handle, owner).ok_or_else(session_rules::unknown)?;
        let id = SessionId::from_number(state.number);
        if let Some(session) = endpoint.sessions.find(id) {
            check_version(&parts.headers, &session)?;
        }
        if !self.ended().note(id, seconds(state.expires)) {
            return Err(session_rules::unknown());
        }
        if let Some(session) = endpoint.sessions.find(id) {
            endpoint.sessions.end(&session);
        }
        Ok(())
    }

    /// Records that a session has ended, if it has a handle: the handle no longer opens.
    pub(crate) fn note_ended(&self, session: &Session) {
        let until = session.sealed_until.load(Ordering::Relaxed);
        if until != 0 {
            self.ended().note(session.id, until);
        }
    }

    fn open(&self, handle: &str, owner: Option<&SessionOwner>) -> Option<SessionState> {
        let state = self.handles.open(handle, owner.map(SessionOwner::as_str))?;
        (SystemTime::now() < state.expires).then_some(state)
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock()
    }
}

impl Ended {
    fn has(&mut self, id: SessionId) -> bool {
        self.known.contains(&id)
    }

    /// Records an ended session. Returns `false` if it was recorded already.
    fn note(&mut self, id: SessionId, until: u64) -> bool {
        let now = seconds(SystemTime::now());
        while self.order.len() >= ENDED || self.order.front().is_some_and(|(_, until)| *until < now) {
            if let Some((id, _)) = self.order.pop_front() {
                self.known.remove(&id);
            }
        }
        let is_new = self.known.insert(id);
        if is_new {
            self.order.push_back((id, until));
        }
        is_new
    }
}

/// Unix time in seconds, rounded up.
pub(super) fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_secs().saturating_add(u64::from(since.subsec_nanos() > 0))
}

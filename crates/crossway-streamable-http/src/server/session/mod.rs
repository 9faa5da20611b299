//! Sessions of legacy revisions.

mod drain;
mod event_id;
mod handles;
mod id;
mod restored;
mod store;
mod streams;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crossway_proto::{Kind, Message, Revision};
use crossway_service::{Context, Link, Origin, SessionOwner};
use parking_lot::{Mutex, MutexGuard};

use super::limits::Limits;

pub(crate) use drain::detach;
pub(crate) use event_id::{EventId, StreamKind};
pub(crate) use handles::Handles;
pub(crate) use id::SessionId;
pub(crate) use store::{Sessions, Slot, place};
pub(crate) use streams::{Streams, Ticket, frame};

/// One client's session, and its link to the upstream.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) link: Link,
    pub(crate) owner: Option<SessionOwner>,
    origin: Origin,
    negotiated: OnceLock<Negotiated>,
    /// The tick in which the session was last found in use.
    used: AtomicU32,
    has_ended: AtomicBool,
    is_closed: AtomicBool,
    /// When the session's handle expires, in seconds of Unix time; 0 while it has none and uses its random id.
    sealed_until: AtomicU64,
    detached: AtomicUsize,
    streams: Mutex<Streams>,
    slot: Slot,
}

/// The result of `initialize`.
struct Negotiated {
    revision: Option<Revision>,
    /// The version's name, if it is no known revision.
    unknown: Option<Box<str>>,
}

impl Session {
    pub(crate) fn new(id: SessionId, link: Link, owner: Option<SessionOwner>, slot: Slot) -> Self {
        Self::of_origin(Origin::unique(), id, link, owner, slot)
    }

    fn of_origin(origin: Origin, id: SessionId, link: Link, owner: Option<SessionOwner>, slot: Slot) -> Self {
        let streams = Mutex::new(Streams::new(Arc::clone(&slot.0), owner.as_ref()));
        Self {
            id,
            link,
            owner,
            origin,
            negotiated: OnceLock::new(),
            used: AtomicU32::new(slot.0.now()),
            has_ended: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            sealed_until: AtomicU64::new(0),
            detached: AtomicUsize::new(0),
            streams,
            slot,
        }
    }

    /// The context of the session's calls.
    pub(crate) fn context(&self) -> Context {
        Context::new(self.origin, self.revision())
    }

    /// The negotiated revision; `None` before that, or when it is no known one.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.negotiated.get().and_then(|negotiated| negotiated.revision)
    }

    /// Records the result of `initialize`. Only the first one counts.
    pub(crate) fn negotiate(&self, answer: &Message) {
        debug_assert_eq!(answer.kind(), Kind::Result);
        let version = answer.initialize_version();
        let revision = version.as_deref().and_then(Revision::parse);
        let unknown = version.filter(|_| revision.is_none()).map(|version| version.into());
        // The handshake makes a session a legacy one, whatever revision its server names.
        let revision = revision.map(|revision| revision.min(Revision::LATEST_LEGACY));
        let _ = self.negotiated.set(Negotiated { revision, unknown });
    }

    /// Whether `version` is allowed in the `MCP-Protocol-Version` header of the session's requests: a legacy revision, or the
    /// exact version that the server chose.
    pub(crate) fn speaks(&self, version: &[u8]) -> bool {
        let name = std::str::from_utf8(version).unwrap_or_default();
        let unknown = self.negotiated.get().and_then(|negotiated| negotiated.unknown.as_deref());
        Revision::parse(name).is_some_and(Revision::is_legacy) || unknown == Some(name)
    }

    /// Whether streams of the session are primed.
    pub(crate) fn primes_streams(&self) -> bool {
        self.revision().is_some_and(Revision::primes_streams)
    }

    /// Whether the client may send batches: once the revision is known, and if the revision has them.
    pub(crate) fn allows_batches(&self) -> bool {
        self.revision().is_some_and(Revision::allows_batches)
    }

    pub(crate) fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.slot.0.limits
    }

    fn touch(&self, now: u32) {
        self.used.store(now, Ordering::Relaxed);
    }

    /// Whether the session's id is a handle.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed_until.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn unused_ticks(&self, now: u32) -> u32 {
        now.wrapping_sub(self.used.load(Ordering::Relaxed))
    }

    /// Ends the streams. No request finds the session from then on.
    fn end_streams(&self) {
        if !self.has_ended.swap(true, Ordering::AcqRel) {
            self.streams().end();
        }
    }

    /// Returns whether the link is to be closed now, which it is once.
    fn close_once(&self) -> bool {
        !self.is_closed.swap(true, Ordering::AcqRel)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

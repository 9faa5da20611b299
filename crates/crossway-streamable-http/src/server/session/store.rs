//! The table of sessions, and the sweeper that ends idle ones.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crossway_service::{
    Limits as ServiceLimits, Link, SessionLimiter, SessionOwner, SessionPermit, SoleTask,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tracing::debug;

use super::Session;
use super::id::{AsTaken, SessionId};
use crate::server::limits::{KEPT_OWNERS, Limits, SWEEP};

/// Lookups of different sessions seldom contend for a lock.
const SHARDS: usize = 16;

type Shard = HashMap<SessionId, Arc<Session>, AsTaken>;

/// The sessions of one endpoint.
pub(crate) struct Sessions {
    shards: [Mutex<Shard>; SHARDS],
    common: Arc<Common>,
    sweeper: SoleTask,
}

/// The bytes of kept events per owner with sessions.
#[derive(Default)]
struct KeptOf {
    owners: HashMap<SessionOwner, Weak<AtomicUsize>>,
    /// The number of owners at which those without sessions are removed.
    sweep_at: usize,
}

/// The state that all sessions share.
pub(super) struct Common {
    pub(super) limits: Limits,
    /// Rises by one with each round of the sweeper: a clock that costs nothing to read.
    tick: AtomicU32,
    sessions: AtomicUsize,
    /// Whether all sessions were ended: later ones end at once. Read and written with a shard's lock held.
    is_closed: AtomicBool,
    /// The bytes of all kept events.
    pub(super) kept_bytes: AtomicUsize,
    /// The same for each owner with a session.
    kept_of: Mutex<KeptOf>,
    closing: AtomicUsize,
    closed: Notify,
}

/// One session's place under the limit of sessions, and under its caller's.
pub(crate) struct Slot(
    pub(super) Arc<Common>,
    #[expect(dead_code, reason = "it is held")] Option<SessionPermit>,
);

impl Common {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            tick: AtomicU32::new(0),
            sessions: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            kept_bytes: AtomicUsize::new(0),
            kept_of: Mutex::default(),
            closing: AtomicUsize::new(0),
            closed: Notify::new(),
        }
    }

    pub(super) fn now(&self) -> u32 {
        self.tick.load(Ordering::Relaxed)
    }

    /// The counter of kept bytes for an owner's sessions.
    pub(super) fn kept_of(&self, owner: &SessionOwner) -> Arc<AtomicUsize> {
        let mut kept = self.kept_of.lock();
        if let Some(bytes) = kept.owners.get(owner).and_then(Weak::upgrade) {
            return bytes;
        }
        if kept.owners.len() >= kept.sweep_at {
            kept.owners.retain(|_, bytes| bytes.strong_count() > 0);
            kept.sweep_at = (kept.owners.len() * 2).max(KEPT_OWNERS);
        }
        let bytes = Arc::default();
        kept.owners.insert(owner.clone(), Arc::downgrade(&bytes));
        bytes
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A caller's share of sessions is used up.
pub(crate) struct NoPlace;

/// Takes the place of a session, or of a stream that is held like one, in its caller's share, if there is such a share.
pub(crate) fn place(share: Option<&SessionLimiter>) -> Result<Option<SessionPermit>, NoPlace> {
    share.map(|share| share.try_acquire().ok_or(NoPlace)).transpose()
}

impl Sessions {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            common: Arc::new(Common::new(limits)),
            sweeper: SoleTask::default(),
        }
    }

    /// The number of sessions, including those that are being opened.
    pub(crate) fn len(&self) -> usize {
        self.common.sessions.load(Ordering::Relaxed)
    }

    /// Reserves a place for one more session of a caller, if there is one, or if an unused session can make room.
    pub(crate) fn reserve(&self, share: Option<&SessionLimiter>) -> Option<Slot> {
        let place = place(share).ok()?;
        let is_reserved = self.count_one_more()
            || (self.common.limits.evicts_sessions && self.end_longest_unused() && self.count_one_more());
        is_reserved.then(|| Slot(Arc::clone(&self.common), place))
    }

    fn count_one_more(&self) -> bool {
        let most = self.common.limits.sessions;
        let count = &self.common.sessions;
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < most).then_some(count + 1))
            .is_ok()
    }

    /// Ends the session that was unused for the longest time. False if all are needed, or if as many as there may be are still being
    /// closed: their processes may take seconds to end.
    fn end_longest_unused(&self) -> bool {
        if self.common.closing.load(Ordering::Acquire) >= self.common.limits.sessions {
            return false;
        }
        let now = self.common.now();
        let longest = self.shards.iter().filter_map(|shard| {
            let shard = lock(shard);
            let unused = shard.values().filter(|session| !is_needed(session));
            unused.map(|session| (session.unused_ticks(now), session.id)).max_by_key(|(ticks, _)| *ticks)
        });
        let Some((_, id)) = longest.max_by_key(|(ticks, _)| *ticks) else { return false };
        let ended = {
            let mut shard = self.shard(id);
            // It may be used by now.
            if shard.get(&id).is_none_or(is_needed) { None } else { shard.remove(&id) }
        };
        let Some(session) = ended else { return false };
        debug!("a session that was not used is ended to make room for another");
        self.wind_up(&session);
        true
    }

    /// Registers a session, or ends it if all are being ended: an upstream may agree to one meanwhile.
    pub(crate) fn insert(&self, session: Arc<Session>) {
        let mut shard = self.shard(session.id);
        if self.common.is_closed.load(Ordering::Relaxed) {
            drop(shard);
            return self.end(&session);
        }
        shard.insert(session.id, session);
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<Arc<Session>> {
        let session = self.shard(id).get(&id).filter(|session| !session.has_ended()).map(Arc::clone)?;
        session.touch(self.common.now());
        Some(session)
    }

    /// Ends a session: it becomes unknown, its streams end, and its link is closed in the background.
    pub(crate) fn end(&self, session: &Session) {
        let removed = self.shard(session.id).remove(&session.id);
        self.wind_up(session);
        drop(removed);
    }

    /// Ends a session that the upstream has ended: it becomes unknown, and its streams end. Its link is closed at once if only the caller
    /// uses the session, and otherwise by the sweeper: within ten seconds of its last use.
    pub(crate) fn lose(&self, session: &Arc<Session>) {
        session.end_streams();
        // The table holds one, and the caller the other.
        if Arc::strong_count(session) <= 2 {
            self.end(session);
        }
    }

    /// Ends a session that is no longer in the table, where its id may have been reused.
    fn wind_up(&self, session: &Session) {
        session.end_streams();
        if session.close_once() {
            self.close(&session.link);
        }
    }

    /// Closes a link in the background.
    pub(crate) fn close(&self, link: &Link) {
        // Without a runtime nothing could carry a connection either; dropping the link closes it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (closing, common) = (link.close(), Arc::clone(&self.common));
        common.closing.fetch_add(1, Ordering::AcqRel);
        runtime.spawn(async move {
            if tokio::time::timeout(ServiceLimits::CLOSE, closing).await.is_err() {
                debug!("an upstream took too long to end its session");
            }
            if common.closing.fetch_sub(1, Ordering::AcqRel) == 1 {
                common.closed.notify_waiters();
            }
        });
    }

    /// Ends all sessions, including those being opened, and waits until their upstreams have closed them.
    pub(crate) async fn end_all(&self) {
        for shard in &self.shards {
            let sessions = {
                let mut shard = lock(shard);
                self.common.is_closed.store(true, Ordering::Relaxed);
                std::mem::take(&mut *shard)
            };
            sessions.values().for_each(|session| self.wind_up(session));
        }
        loop {
            let closed = self.common.closed.notified();
            if self.common.closing.load(Ordering::Acquire) == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Starts the sweeper if it is not running. Called when there is something to wait for.
    pub(crate) fn keep_swept(self: &Arc<Self>) {
        let Some(running) = self.sweeper.claim() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let sessions = Arc::downgrade(self);
        runtime.spawn(async move {
            let _running = running;
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(sessions) = sessions.upgrade() else { return };
                sessions.sweep();
            }
        });
    }

    /// One round: ends unused sessions, and drops events that were kept long enough.
    fn sweep(&self) {
        let now = self.common.tick.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let idle = ticks(self.common.limits.session_idle);
        let mut unused = Vec::new();
        for shard in &self.shards {
            // Removed under the lock, so that no client can find an unused session before it is ended.
            unused.extend(lock(shard).extract_if(|_, session| {
                session.streams().sweep(ticks(self.common.limits.kept_for));
                if is_used(session) {
                    session.touch(now);
                }
                !is_used(session) && (session.has_ended() || session.unused_ticks(now) > idle)
            }));
        }
        if !unused.is_empty() {
            debug!(sessions = unused.len(), "sessions that were not used are ended");
        }
        unused.iter().for_each(|(_, session)| self.wind_up(session));
    }

    fn shard(&self, id: SessionId) -> MutexGuard<'_, Shard> {
        lock(&self.shards[id.shard(SHARDS)])
    }
}

/// Whether a call or a stream of a session in the table is being served: whoever serves it holds the session, too.
fn is_used(session: &Arc<Session>) -> bool {
    Arc::strong_count(session) > 1
}

/// Whether a session has a call in flight, or a stream that is read: also a call whose client has lost its connection, and may take it up.
fn is_needed(session: &Arc<Session>) -> bool {
    is_used(session) || session.detached.load(Ordering::Relaxed) > 0
}

fn ticks(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(SWEEP.as_millis())).unwrap_or(u32::MAX)
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sweeper_runs_in_each_runtime_that_serves_after_another() {
        let sessions = Arc::new(Sessions::new(Limits::default()));
        // Where there is none, it can't run, and may later.
        sessions.keep_swept();
        for _ in 0..2 {
            let before = sessions.common.now();
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                sessions.keep_swept();
                tokio::time::sleep(SWEEP * 2).await;
            });
            assert!(sessions.common.now() > before);
        }
    }
}

//! Where records go.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use super::{AuditKey, AuditWriter, NotRecorded};
use crate::limits::{AUDIT_CALLS, AUDIT_WAIT};
use crate::{Clock, SystemClock};

/// What becomes of calls that there is no room to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// They wait, for [`AuditOptions::wait`] at most; then they are refused.
    #[default]
    Wait,
    /// They are refused, with word of when to try again.
    Refuse,
}

/// How an audit log behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuditOptions {
    /// How many calls it has room for, in flight or waiting to be written; at least one.
    pub calls: usize,
    /// What becomes of the others.
    pub overflow: Overflow,
    /// How long they wait.
    pub wait: Duration,
    /// Where the time is from.
    pub clock: Arc<dyn Clock>,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            calls: AUDIT_CALLS,
            overflow: Overflow::default(),
            wait: AUDIT_WAIT,
            clock: Arc::new(SystemClock),
        }
    }
}

impl AuditOptions {
    /// Sets for how many calls there is room.
    #[must_use]
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// Sets what becomes of the others.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets where the time is from.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

/// Where records go. Clones are the same log.
#[derive(Clone)]
pub struct AuditLog(Arc<Shared>);

struct Shared {
    lines: mpsc::Sender<Vec<u8>>,
    key: AuditKey,
    options: AuditOptions,
    refused: Arc<AtomicU64>,
}

/// A record's place in the log.
pub(super) type Place = OwnedPermit<Vec<u8>>;

impl AuditLog {
    /// A log, and what writes it.
    #[must_use]
    pub fn new(key: AuditKey, options: AuditOptions) -> (Self, AuditWriter) {
        let (lines, receiver) = mpsc::channel(options.calls.clamp(1, tokio::sync::Semaphore::MAX_PERMITS));
        let refused = Arc::<AtomicU64>::default();
        let writer = AuditWriter::new(receiver, Arc::clone(&refused), Arc::clone(&options.clock));
        (Self(Arc::new(Shared { lines, key, options, refused })), writer)
    }

    /// How many more calls there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.lines.capacity()
    }

    /// How many calls were refused for want of room, and not written as such yet.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    pub(super) fn key(&self) -> &AuditKey {
        &self.0.key
    }

    pub(super) fn options(&self) -> &AuditOptions {
        &self.0.options
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.0.options.clock
    }

    pub(super) fn place_now(&self) -> Result<Place, NotRecorded> {
        self.0.lines.clone().try_reserve_owned().map_err(|error| match error {
            TrySendError::Full(_) => NotRecorded::Full,
            TrySendError::Closed(_) => NotRecorded::Closed,
        })
    }

    /// A place, when there is one.
    pub(super) async fn place(&self) -> Result<Place, NotRecorded> {
        let place = self.0.lines.clone().reserve_owned();
        match tokio::time::timeout(self.0.options.wait, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(NotRecorded::Closed),
            Err(_) => Err(self.refuse()),
        }
    }

    /// Counts a call that has no place.
    pub(super) fn refuse(&self) -> NotRecorded {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        NotRecorded::Full
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("room", &self.room()).field("refused", &self.refused()).finish()
    }
}

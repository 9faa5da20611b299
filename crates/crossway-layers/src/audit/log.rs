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
    totals: Arc<Totals>,
}

/// What has become of calls since the log was made.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) recorded: AtomicU64,
    waited: AtomicU64,
    refused: AtomicU64,
    /// Those of the refused that the log does not tell of yet.
    pub(super) untold: AtomicU64,
}

/// What has become of calls since the log was made, and how many have a place in it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AuditCounts {
    /// Calls that have a place in the log: they are in flight, or their records wait to be written.
    pub places: usize,
    /// How many places there are.
    pub most: usize,
    /// Records that were written.
    pub recorded: u64,
    /// Calls that waited for a place, or wait for one.
    pub waited: u64,
    /// Calls that were refused, for want of a place or because nobody writes any more.
    pub refused: u64,
}

/// A record's place in the log.
pub(super) type Place = OwnedPermit<Vec<u8>>;

impl AuditLog {
    /// A log, and what writes it.
    #[must_use]
    pub fn new(key: AuditKey, options: AuditOptions) -> (Self, AuditWriter) {
        let (lines, receiver) = mpsc::channel(options.calls.clamp(1, tokio::sync::Semaphore::MAX_PERMITS));
        let totals = Arc::<Totals>::default();
        let writer = AuditWriter::new(receiver, Arc::clone(&totals), Arc::clone(&options.clock));
        (Self(Arc::new(Shared { lines, key, options, totals })), writer)
    }

    /// How many more calls there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.lines.capacity()
    }

    /// How many calls were refused for want of room, and not written as such yet.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.totals.untold.load(Ordering::Relaxed)
    }

    /// What has become of calls, for operators. The number of places that are taken is the queue's own: calls pay nothing for it.
    #[must_use]
    pub fn counts(&self) -> AuditCounts {
        let (lines, totals) = (&self.0.lines, &*self.0.totals);
        AuditCounts {
            places: lines.max_capacity() - lines.capacity(),
            most: lines.max_capacity(),
            recorded: totals.recorded.load(Ordering::Relaxed),
            waited: totals.waited.load(Ordering::Relaxed),
            refused: totals.refused.load(Ordering::Relaxed),
        }
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
            TrySendError::Closed(_) => self.refuse(NotRecorded::Closed),
        })
    }

    /// A place, when there is one.
    pub(super) async fn place(&self) -> Result<Place, NotRecorded> {
        self.0.totals.waited.fetch_add(1, Ordering::Relaxed);
        let place = self.0.lines.clone().reserve_owned();
        match tokio::time::timeout(self.0.options.wait, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(self.refuse(NotRecorded::Closed)),
            Err(_) => Err(self.refuse(NotRecorded::Full)),
        }
    }

    /// Counts a call that has no place, and never gets one.
    pub(super) fn refuse(&self, why: NotRecorded) -> NotRecorded {
        let totals = &self.0.totals;
        totals.refused.fetch_add(1, Ordering::Relaxed);
        if why == NotRecorded::Full {
            totals.untold.fetch_add(1, Ordering::Relaxed);
        }
        why
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("room", &self.room()).field("refused", &self.refused()).finish()
    }
}

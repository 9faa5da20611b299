//! The queue of audit records.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossway_policy::TenantName;
use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};
use tokio::sync::oneshot;

use super::shares::{Share, Shares};
use super::{AuditKey, AuditWriter, NotRecorded};
use crate::limits::{AUDIT_CALLS, AUDIT_WAIT};
use crate::{Clock, SystemClock};

/// What happens to calls that there is no room to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// They wait, for [`AuditOptions::wait`] at most; then they are refused.
    #[default]
    Wait,
    /// They are refused, and told when to try again.
    Refuse,
}

/// How an audit log behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuditOptions {
    /// The number of calls with a place, which are in flight or wait to be written; at least one.
    pub calls: usize,
    /// What happens to further calls.
    pub overflow: Overflow,
    /// How long further calls wait for a place.
    pub wait: Duration,
    /// The source of time.
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
    /// Sets the number of calls with a place.
    #[must_use]
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// Sets what happens to further calls.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets the source of time.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

/// An audit log, to which calls send their records. Clones are the same log.
#[derive(Clone)]
pub struct AuditLog(Arc<Shared>);

struct Shared {
    lines: mpsc::Sender<Written>,
    key: AuditKey,
    options: AuditOptions,
    totals: Arc<Totals>,
    shares: Shares,
    is_cut_off: AtomicBool,
}

/// The counts of calls since the log was made.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) recorded: AtomicU64,
    waited: AtomicU64,
    refused: AtomicU64,
    /// The refused calls that the log does not mention yet.
    pub(super) untold: AtomicU64,
}

/// The counts of calls since the log was made, and of the calls that have a place in it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AuditCounts {
    /// Calls with a place: they are in flight, or their records wait to be written.
    pub places: usize,
    /// The number of places.
    pub most: usize,
    /// Records that were written.
    pub recorded: u64,
    /// Calls that have waited for a place, including those that still wait.
    pub waited: u64,
    /// Calls that were refused because there was no place, or because the writer is gone.
    pub refused: u64,
}

/// A record's line, with the place in its tenant's share that it keeps until it is written.
pub(super) struct Written {
    pub(super) line: Vec<u8>,
    /// Notified when all lines before it are written; it has no line of its own then.
    pub(super) awaited: Option<oneshot::Sender<()>>,
    _share: Option<Share>,
}

/// A record's place in the log.
pub(super) struct Place {
    line: OwnedPermit<Written>,
    share: Option<Share>,
}

impl Place {
    /// Queues the record for writing.
    pub(super) fn send(self, line: Vec<u8>) {
        self.line.send(Written { line, awaited: None, _share: self.share });
    }
}

impl AuditLog {
    /// Creates a log and its writer.
    #[must_use]
    pub fn new(key: AuditKey, options: AuditOptions) -> (Self, AuditWriter) {
        let calls = options.calls.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        let (lines, receiver) = mpsc::channel(calls);
        let totals = Arc::<Totals>::default();
        let writer = AuditWriter::new(receiver, Arc::clone(&totals), Arc::clone(&options.clock));
        let shares = Shares::new(calls);
        (
            Self(Arc::new(Shared {
                lines,
                key,
                options,
                totals,
                shares,
                is_cut_off: AtomicBool::new(false),
            })),
            writer,
        )
    }

    /// The number of free places.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.lines.capacity()
    }

    /// The number of calls that were refused because there was no place, and that the log does not mention yet.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.totals.untold.load(Ordering::Relaxed)
    }

    /// Counts for operators. Calls pay nothing for the number of places: the queue knows it.
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

    /// Waits until every call has ended and its record is written; new calls wait meanwhile. May wait indefinitely while calls run or
    /// nothing drains the log, so use a timeout. Returns at once if the writer is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: records are written all the same.
    pub async fn written(&self) {
        let lines = &self.0.lines;
        // Once all places are free there is no call, and the writer has all records.
        let Ok(mut places) = lines.reserve_many(lines.max_capacity()).await else { return };
        let (awaited, written) = oneshot::channel();
        if let Some(place) = places.next() {
            place.send(Written { line: Vec::new(), awaited: Some(awaited), _share: None });
        }
        drop(places);
        // If the writer is gone, nothing is sent.
        let _ = written.await;
    }

    /// Marks calls dropped from now on as ended by shutdown rather than by their clients.
    pub fn cut_off(&self) {
        self.0.is_cut_off.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.0.is_cut_off.load(Ordering::Relaxed)
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

    /// Returns a place for a record of this tenant, if there is one now.
    pub(super) fn place_now(&self, tenant: Option<&TenantName>) -> Result<Place, NotRecorded> {
        let share = match tenant {
            Some(tenant) => Some(self.0.shares.take_now(tenant).ok_or(NotRecorded::Full)?),
            None => None,
        };
        match self.0.lines.clone().try_reserve_owned() {
            Ok(line) => Ok(Place { line, share }),
            Err(TrySendError::Full(_)) => Err(NotRecorded::Full),
            Err(TrySendError::Closed(_)) => Err(NotRecorded::Closed),
        }
    }

    /// Waits for a place, at most as long as the options say.
    pub(super) async fn place(&self, tenant: Option<&TenantName>) -> Result<Place, NotRecorded> {
        self.0.totals.waited.fetch_add(1, Ordering::Relaxed);
        let place = async {
            // The share comes first: a call that waits for its tenant's share takes no place from other tenants.
            let share = match tenant {
                Some(tenant) => self.0.shares.take(tenant).await,
                None => None,
            };
            let line = self.0.lines.clone().reserve_owned().await.map_err(|_| NotRecorded::Closed)?;
            Ok(Place { line, share })
        };
        let placed = tokio::time::timeout(self.0.options.wait, place).await;
        placed.unwrap_or(Err(NotRecorded::Full)).map_err(|why| self.refuse(why))
    }

    /// Counts a call that is refused.
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

//! One connection attempt at a time, whose failure all who wait share.

use std::sync::atomic::{AtomicU64, Ordering};

use crossway_service::Reason;
use tokio::sync::{Mutex, MutexGuard};

/// One attempt at a time. Whoever waits while one fails has that failure: else the last of many would wait for as many
/// timeouts.
#[derive(Default)]
pub(super) struct Connecting {
    last: Mutex<Option<Failure>>,
    failures: AtomicU64,
}

struct Failure {
    /// Counts the failures from 1.
    number: u64,
    reason: Reason,
}

/// The right to connect. Others wait for it until it is dropped.
pub(super) struct Turn<'a> {
    last: MutexGuard<'a, Option<Failure>>,
    failures: &'a AtomicU64,
}

impl Connecting {
    /// Waits for the attempts that others make.
    ///
    /// # Errors
    ///
    /// With the failure of one that was made meanwhile.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Reason> {
        let before = self.failures.load(Ordering::Acquire);
        let last = self.last.lock().await;
        match &*last {
            Some(failure) if failure.number > before => Err(failure.reason.clone()),
            _ => Ok(Turn { last, failures: &self.failures }),
        }
    }
}

impl Turn<'_> {
    /// Tells those who wait how the attempt failed.
    pub(super) fn failed(&mut self, reason: &Reason) {
        let number = self.failures.fetch_add(1, Ordering::AcqRel) + 1;
        *self.last = Some(Failure { number, reason: reason.clone() });
    }
}

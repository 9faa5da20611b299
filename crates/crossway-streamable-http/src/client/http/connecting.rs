//! One connection attempt at a time, whose failure all waiting calls share.

use std::sync::atomic::{AtomicU64, Ordering};

use crossway_service::Reason;
use tokio::sync::{Mutex, MutexGuard};

/// Allows one attempt at a time. Calls that wait while one fails get the same failure: otherwise the last of many would
/// wait for as many timeouts.
#[derive(Default)]
pub(super) struct Connecting {
    last: Mutex<Option<Failure>>,
    failures: AtomicU64,
}

struct Failure {
    /// The number of this failure, counted from 1.
    number: u64,
    reason: Reason,
}

/// The right to connect. Others wait until it is dropped.
pub(super) struct Turn<'a> {
    last: MutexGuard<'a, Option<Failure>>,
    failures: &'a AtomicU64,
}

impl Connecting {
    /// Waits for earlier attempts.
    ///
    /// # Errors
    ///
    /// The failure of an attempt that was made meanwhile.
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
    /// Passes the failure to all that wait.
    pub(super) fn failed(&mut self, reason: &Reason) {
        let number = self.failures.fetch_add(1, Ordering::AcqRel) + 1;
        *self.last = Some(Failure { number, reason: reason.clone() });
    }
}

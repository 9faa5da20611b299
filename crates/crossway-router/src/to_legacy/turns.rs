//! The queue for sessions of calls that may ask their clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossway_service::{CallError, Reason};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::pool::{Hold, Key, Pool};
use super::pooled_session::Lease;
use super::sharers::Sharer;
use crate::limits::POOL_QUEUED;

/// The calls of one key that wait for a session.
///
/// A session is free when its call has ended. While its call waits for its client it is not free, but another session may be opened
/// instead: so nobody waits for another client's answer. After a long wait, a call gets a new session in any case, as other calls may
/// take long.
#[derive(Default)]
pub(super) struct Turns {
    freed: Notify,
    waiting: AtomicUsize,
}

impl Turns {
    /// Wakes the next waiting call: a session is free, or another may be opened.
    pub(super) fn next(&self) {
        self.freed.notify_one();
    }

    /// Wakes all waiting calls: there will be no more sessions.
    pub(super) fn end(&self) {
        self.freed.notify_waiters();
    }

    pub(super) fn are_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Enters the queue.
    ///
    /// # Errors
    ///
    /// When too many calls wait.
    pub(super) fn wait(self: &Arc<Self>) -> Result<Waiting, CallError> {
        let waiting = Waiting(Arc::clone(self));
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= POOL_QUEUED {
            let why = "too many calls wait for a session with the MCP server";
            return Err(CallError::not_sent(Reason::OverLimit(why.into())));
        }
        Ok(waiting)
    }
}

/// A call's place in the queue.
pub(super) struct Waiting(Arc<Turns>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A session, or the queue for one.
pub(super) enum Turn {
    Now(Lease),
    Later(Arc<Turns>),
}

impl Pool {
    /// Waits in the queue for a session.
    ///
    /// # Errors
    ///
    /// When a session had to be opened, and there are as many as allowed.
    pub(super) async fn lease_in_turn(
        &self,
        key: &Key,
        sharer: &Sharer,
        waiting: Waiting,
    ) -> Result<Lease, CallError> {
        let mut patience = std::pin::pin!(sleep(self.options.queue_time));
        let mut hold = Hold::ExclusiveQueued;
        loop {
            let mut freed = std::pin::pin!(waiting.0.freed.notified());
            // Registered before looking, so that no wake-up is missed.
            freed.as_mut().enable();
            match self.hold(key, hold, sharer) {
                Ok(Turn::Now(lease)) => return Ok(lease),
                Ok(Turn::Later(_)) => {}
                Err(error) => {
                    // Passes on the wake-up that this call did not use.
                    waiting.0.next();
                    return Err(error);
                }
            }
            tokio::select! {
                () = freed => {}
                () = &mut patience => hold = Hold::ExclusiveOverdue,
            }
        }
    }
}

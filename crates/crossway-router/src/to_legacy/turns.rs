//! The queue for sessions of calls that may ask their clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossway_service::{CallError, Reason};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::member::Lease;
use super::pool::{Hold, Key, Pool};
use super::sharers::Sharer;
use crate::limits::POOL_QUEUED;

/// The calls of one key that wait for a session.
///
/// A session is free when its call has ended. One whose call waits for its client is not, but another may be opened in
/// its stead: so nobody waits for what a client is asked. Who has waited for long has one opened whatever the others
/// do, for calls may take long.
#[derive(Default)]
pub(super) struct Turns {
    freed: Notify,
    waiting: AtomicUsize,
}

impl Turns {
    /// A session is free, or another may be opened: the next one looks.
    pub(super) fn next(&self) {
        self.freed.notify_one();
    }

    /// There will be no more sessions: all look.
    pub(super) fn end(&self) {
        self.freed.notify_waiters();
    }

    pub(super) fn are_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// A place among those that wait.
    ///
    /// # Errors
    ///
    /// When too many do.
    pub(super) fn wait(self: &Arc<Self>) -> Result<Waiting, CallError> {
        let waiting = Waiting(Arc::clone(self));
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= POOL_QUEUED {
            let why = "too many calls wait for a session with the MCP server";
            return Err(CallError::not_sent(Reason::OverLimit(why.into())));
        }
        Ok(waiting)
    }
}

/// A call's place among those that wait.
pub(super) struct Waiting(Arc<Turns>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A session, or those who wait for one.
pub(super) enum Turn {
    Now(Lease),
    Later(Arc<Turns>),
}

impl Pool {
    /// A session for a call that waits for its turn.
    ///
    /// # Errors
    ///
    /// When one had to be opened, and there are as many as there may be.
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
            // Before it looks, so that it misses nothing.
            freed.as_mut().enable();
            match self.hold(key, hold, sharer) {
                Ok(Turn::Now(lease)) => return Ok(lease),
                Ok(Turn::Later(_)) => {}
                Err(error) => {
                    // It has not taken what it was woken for.
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

//! A signal to many that something ends: an endpoint is drained, or closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use parking_lot::{Mutex, MutexGuard};
use slab::Slab;

/// The signal.
#[derive(Default)]
pub(crate) struct Stop {
    is_stopped: AtomicBool,
    watchers: Mutex<Slab<Waker>>,
}

impl Stop {
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.watchers().drain().for_each(Waker::wake);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    fn watchers(&self) -> MutexGuard<'_, Slab<Waker>> {
        self.watchers.lock()
    }
}

/// A watcher of the signal.
pub(crate) struct Watch {
    stop: Arc<Stop>,
    key: Option<usize>,
}

impl Watch {
    pub(crate) fn new(stop: &Arc<Stop>) -> Self {
        Self { stop: Arc::clone(stop), key: None }
    }

    /// Whether the signal was given; if not, wakes `cx` when it is.
    pub(crate) fn poll_stopped(&mut self, cx: &Context<'_>) -> bool {
        // Checked under the lock, so that the signal cannot come between the check and the registration.
        let mut watchers = self.stop.watchers();
        if self.stop.is_stopped() {
            self.key = None;
            return true;
        }
        match self.key.and_then(|key| watchers.get_mut(key)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.key = Some(watchers.insert(cx.waker().clone())),
        }
        false
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let mut watchers = self.stop.watchers();
            // Once the signal was given, the entries are gone.
            if !self.stop.is_stopped() {
                watchers.try_remove(key);
            }
        }
    }
}

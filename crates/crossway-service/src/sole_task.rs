//! Background tasks that run only once at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a background task runs that may exist only once, such as the sweeper of a table.
///
/// It runs as long as its [`Running`] exists, which the task owns. So it can be started again after it has
/// ended, has panicked, or was dropped with its runtime. The latter happens to a server or client that is
/// used by one runtime after another.
#[derive(Debug, Default)]
pub struct SoleTask(Arc<AtomicBool>);

/// The right to be the only task; given up when it is dropped.
#[derive(Debug)]
pub struct Running(Arc<AtomicBool>);

impl SoleTask {
    /// The right to start the task; `None` if it runs. It takes no lock.
    #[must_use]
    pub fn claim(&self) -> Option<Running> {
        let is_claimed = self.0.load(Ordering::Relaxed) || self.0.swap(true, Ordering::AcqRel);
        (!is_claimed).then(|| Running(Arc::clone(&self.0)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_has_ended_is_started_again_and_no_second_one_beside_it() {
        let task = SoleTask::default();
        let running = task.claim();
        assert!(running.is_some() && task.claim().is_none());
        drop(running);
        assert!(task.claim().is_some());
    }
}

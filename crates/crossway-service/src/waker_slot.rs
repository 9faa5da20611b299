//! A place for a waker.

use std::task::Waker;

/// A place for the waker of the one task that waits for a change.
///
/// It belongs with what changes, behind the same lock: the task looks and [registers](Self::register) under it, so that no change is missed in
/// between. Each waker is woken once; a task that waits on registers when it is polled.
#[derive(Debug, Default)]
pub struct WakerSlot(Option<Waker>);

impl WakerSlot {
    /// Has this waker's task woken by the next [`wake`](Self::wake), in place of any that was registered before.
    #[inline]
    pub fn register(&mut self, waker: &Waker) {
        match &mut self.0 {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Wakes the task that has registered since the last time, if there is one.
    #[inline]
    pub fn wake(&mut self) {
        if let Some(waker) = self.take() {
            waker.wake();
        }
    }

    /// Takes the waker out, for those who wake its task later.
    #[inline]
    pub fn take(&mut self) -> Option<Waker> {
        self.0.take()
    }
}

//! The table of sessions of an HTTP face.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions by their id; `T` is a session's state.
#[derive(Debug)]
pub(crate) struct Sessions<T> {
    prefix: u64,
    next: AtomicU64,
    table: Mutex<HashMap<Box<str>, T>>,
}

impl<T> Default for Sessions<T> {
    fn default() -> Self {
        // Different processes never use the same ids. They are no secrets.
        let prefix = RandomState::new().hash_one(std::process::id());
        Self { prefix, next: AtomicU64::new(1), table: Mutex::default() }
    }
}

impl<T> Sessions<T> {
    /// Begins a session and returns its id.
    pub(crate) fn begin(&self, session: T) -> String {
        let id = format!("{:016x}{:016x}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        self.lock().insert(id.as_str().into(), session);
        id
    }

    /// Runs `act` on the session with this id, if there is one.
    pub(crate) fn with<R>(&self, id: &str, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.lock().get_mut(id).map(act)
    }

    /// Ends a session; false if there was none.
    pub(crate) fn end(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, T>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

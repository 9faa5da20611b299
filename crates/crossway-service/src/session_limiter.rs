//! A bound on sessions that several callers share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on open sessions, shared by its clones, for one user or (with [`within`](Self::within)) for a user inside a tenant.
///
/// Insert it into the extensions of each HTTP request: the transport opens a session only if
/// [`try_acquire`](Self::try_acquire) succeeds. The same holds for streams that are held like sessions:
/// modern subscriptions, and each stream beyond a session's first for messages outside calls.
#[derive(Clone)]
pub struct SessionLimiter(Arc<Share>);

struct Share {
    most: usize,
    taken: AtomicUsize,
    within: Option<SessionLimiter>,
}

impl SessionLimiter {
    /// Allows at most `most` sessions.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Share { most, taken: AtomicUsize::new(0), within: None }))
    }

    /// Creates a limit of `most` sessions that also count against this one.
    #[must_use]
    pub fn within(&self, most: usize) -> Self {
        Self(Arc::new(Share { most, taken: AtomicUsize::new(0), within: Some(self.clone()) }))
    }

    /// Whether this is the only clone: no session counts against it, and none will without the caller.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Acquires a permit for one more session, if there is room. Dropping the permit releases it.
    #[must_use]
    pub fn try_acquire(&self) -> Option<SessionPermit> {
        let outer = match &self.0.within {
            Some(within) => Some(Box::new(within.try_acquire()?)),
            None => None,
        };
        let most = self.0.most;
        let taken = self
            .0
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < most).then_some(taken + 1));
        taken.is_ok().then(|| SessionPermit { share: Arc::clone(&self.0), _outer: outer })
    }
}

impl fmt::Debug for SessionLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionLimiter({} of {})", self.0.taken.load(Ordering::Relaxed), self.0.most)
    }
}

/// The place of a session, or of a stream that is held like one, in a [`SessionLimiter`].
pub struct SessionPermit {
    share: Arc<Share>,
    _outer: Option<Box<SessionPermit>>,
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        self.share.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for SessionPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionPermit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_session_has_ended() {
        let share = SessionLimiter::new(1);
        let place = share.try_acquire().unwrap();
        assert!(share.try_acquire().is_none());
        drop(place);
        assert!(share.try_acquire().is_some());
    }

    #[test]
    fn a_share_within_another_takes_places_of_both() {
        let tenant = SessionLimiter::new(3);
        let (alice, ann) = (tenant.within(2), tenant.within(2));
        let hers = [alice.try_acquire().unwrap(), alice.try_acquire().unwrap()];
        assert!(alice.try_acquire().is_none());
        let other = ann.try_acquire().unwrap();
        assert!(ann.try_acquire().is_none(), "the tenant has no more");
        drop(hers);
        // What was refused has taken nothing.
        assert!(ann.try_acquire().is_some());
        drop(other);
        assert_eq!(format!("{tenant:?}"), "SessionLimiter(0 of 3)");
    }
}

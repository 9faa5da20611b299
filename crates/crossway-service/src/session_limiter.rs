//! A bound on sessions that several callers share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound on sessions that some callers share: a user's, or a tenant's with those of its users within. Clones share it.
///
/// Put one into the extensions of each HTTP request, as its caller's: a transport opens a session only while there is a place in it, so that
/// nobody takes all of the places that there are.
#[derive(Clone)]
pub struct SessionLimiter(Arc<Share>);

struct Share {
    most: usize,
    taken: AtomicUsize,
    within: Option<SessionLimiter>,
}

impl SessionLimiter {
    /// Of so many sessions.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Share { most, taken: AtomicUsize::new(0), within: None }))
    }

    /// Of so many sessions, each of which has a place in this one too.
    #[must_use]
    pub fn within(&self, most: usize) -> Self {
        Self(Arc::new(Share { most, taken: AtomicUsize::new(0), within: Some(self.clone()) }))
    }

    /// Whether nobody else has it: there is no session in it, and there will be none but by who asks.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// A place for one more session, if there is one. It is free again when it is dropped.
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

/// A session's place in a [`SessionLimiter`].
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

//! The timeout layer.

use std::time::Duration;

use crossway_service::{Call, Reply, later};
use tokio::time::Instant;
use tower_layer::Layer;

use super::reply::Timed;
use super::timer::Timer;
use crate::stage::{self, Entry, Stage, Staged};

/// Ends calls that take too long; see the [module](super). Without times of its own it only enforces deadlines.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeoutLayer {
    idle: Option<Duration>,
    total: Option<Duration>,
}

impl TimeoutLayer {
    /// Ends calls at their deadlines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long a call may be silent: progress and other messages are signs of life. Zero: without limit.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = Some(idle).filter(|idle| !idle.is_zero());
        self
    }

    /// Sets how long a call may take in all. Zero: without limit.
    #[must_use]
    pub fn total(mut self, total: Duration) -> Self {
        self.total = Some(total).filter(|total| !total.is_zero());
        self
    }

    /// When a call has to be over, and how long that is from now.
    fn until(&self, call: &Call) -> Option<(Instant, Duration)> {
        if self.total.is_none() && call.context.deadline.is_none() {
            return None;
        }
        let now = Instant::now();
        let deadline = call.context.deadline.map(|deadline| Instant::from_std(deadline).duration_since(now));
        let time = self.total.into_iter().chain(deadline).min()?;
        Some((later(now, time), time))
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Staged<Self, S>;

    fn layer(&self, inner: S) -> Staged<Self, S> {
        Staged::new(*self, inner)
    }
}

impl Stage for TimeoutLayer {
    /// `None` where nothing limits the call.
    type Pass = Option<Timer>;

    fn enter(&self, call: &mut Call) -> Entry<Option<Timer>> {
        let has_end = call.request().is_some_and(|request| !stage::is_standing(request));
        let until = self.until(call).filter(|_| has_end);
        let idle = self.idle.filter(|_| has_end);
        Entry::Pass((idle.is_some() || until.is_some()).then(|| Timer::new(idle, until)))
    }

    fn leave(timer: Option<Timer>, reply: Reply) -> Reply {
        match timer {
            Some(timer) => Reply::stream(Timed::new(reply, timer)),
            None => reply,
        }
    }
}

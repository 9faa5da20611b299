//! Options of a guard.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossway_service::Context;

use super::group::GroupOf;
use super::{BreakerOptions, Repeatable};
use crate::{ScopeKey, limits};

/// The behaviour of a guard.
#[derive(Clone)]
#[non_exhaustive]
pub struct GuardOptions {
    /// The upstream's name in logs.
    pub name: Arc<str>,
    /// The most calls in flight at once; at least one.
    pub concurrent: usize,
    /// The most further calls that wait for their turn.
    pub queued: usize,
    /// How long a call may wait for its turn.
    pub queue_time: Duration,
    /// When calls to the upstream are suspended; `None`: never.
    pub breaker: Option<BreakerOptions>,
    /// Whether an upstream that sends `Retry-After` gets no calls until then. Turn this off where each user has credentials, and so
    /// limits, of their own.
    pub heed_retry_after: bool,
    /// How often a call may be retried.
    pub retries: u32,
    /// The calls that may be retried although the upstream may have seen them; `None`: no call.
    pub repeatable: Option<Arc<dyn Repeatable>>,
    /// How long a call may be silent: progress and other messages are signs of life. `None`: without limit.
    pub idle: Option<Duration>,
    /// How long a whole call may take, with its wait and its retries. `None`: any time.
    pub total: Option<Duration>,
    pub(super) group_of: Option<GroupOf>,
}

impl Default for GuardOptions {
    fn default() -> Self {
        Self {
            name: "".into(),
            concurrent: limits::GUARD_CONCURRENT,
            queued: limits::GUARD_QUEUED,
            queue_time: limits::GUARD_QUEUE_TIME,
            breaker: Some(BreakerOptions::default()),
            heed_retry_after: true,
            retries: limits::RETRIES,
            repeatable: None,
            idle: None,
            total: None,
            group_of: None,
        }
    }
}

impl GuardOptions {
    /// The defaults: bounds, breaker and retries from [`limits`], nothing repeatable, no timeouts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the upstream's name in logs.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the most calls in flight at once, and the most further calls that wait.
    #[must_use]
    pub fn bounds(mut self, concurrent: usize, queued: usize) -> Self {
        (self.concurrent, self.queued) = (concurrent, queued);
        self
    }

    /// Sets how long a call may wait for its turn.
    #[must_use]
    pub fn queue_time(mut self, time: Duration) -> Self {
        self.queue_time = time;
        self
    }

    /// Sets when calls to the upstream are suspended.
    #[must_use]
    pub fn breaker(mut self, breaker: Option<BreakerOptions>) -> Self {
        self.breaker = breaker;
        self
    }

    /// Sets how often a call may be retried.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the calls that may be retried although the upstream may have seen them.
    #[must_use]
    pub fn repeatable(mut self, repeatable: Arc<dyn Repeatable>) -> Self {
        self.repeatable = Some(repeatable);
        self
    }

    /// Sets how long a call may be silent; zero: without limit.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = Some(idle).filter(|idle| !idle.is_zero());
        self
    }

    /// Sets how long a whole call may take; zero: any time.
    #[must_use]
    pub fn total(mut self, total: Duration) -> Self {
        self.total = Some(total).filter(|total| !total.is_zero());
        self
    }

    /// Limits each group of callers to three quarters of the concurrent calls and of the queue. `group_of` maps a call's context to its
    /// group; calls without a group are not limited.
    #[must_use]
    pub fn group_by(
        mut self,
        group_of: impl Fn(&Context) -> Option<ScopeKey> + Send + Sync + 'static,
    ) -> Self {
        self.group_of = Some(Arc::new(group_of));
        self
    }

    /// Sets whether `Retry-After` is heeded.
    #[must_use]
    pub fn heed_retry_after(mut self, heed: bool) -> Self {
        self.heed_retry_after = heed;
        self
    }
}

impl fmt::Debug for GuardOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardOptions")
            .field("name", &self.name)
            .field("concurrent", &self.concurrent)
            .field("queued", &self.queued)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

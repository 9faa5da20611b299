//! The settings of one upstream.

use std::collections::BTreeSet;
use std::time::Duration;

use crossway_router::guard::{BreakerOptions, GuardOptions};
use crossway_router::{ScopedOptions, ToLegacyOptions};

use super::file::{ScopeFile, UpstreamLimitsFile};
use crate::plan::UpstreamPlan;

/// The settings of an upstream: equal ones are served alike, so a reload replaces only upstreams whose settings differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// Its name in URLs and grants.
    pub name: String,
    /// The prefix of its tools' and prompts' names where upstreams are merged.
    pub prefix: String,
    /// How to reach it.
    pub plan: UpstreamPlan,
    /// The callers who share an instance.
    pub scope: ScopeFile,
    /// Whether its annotations of tools are trusted.
    pub is_trusted: bool,
    /// Whether its texts for models are sanitized.
    pub sanitize: bool,
    /// Whether clients get its instructions.
    pub instructions: bool,
    /// Its limits. [`guard`](Self::guard) and [`scoped`](Self::scoped) are made of them.
    pub limits: UpstreamLimitsFile,
    /// The tools that are hidden, whatever is granted.
    pub disabled_tools: BTreeSet<String>,
}

impl UpstreamSpec {
    /// The bounds, circuit breaker, retries and timeouts of its calls.
    #[must_use]
    pub fn guard(&self) -> GuardOptions {
        let limits = &self.limits;
        let breaker = (limits.breaker.failures > 0).then_some(BreakerOptions {
            failures: limits.breaker.failures,
            first: limits.breaker.first.0,
            most: limits.breaker.most.0,
        });
        let idle = match &self.plan {
            UpstreamPlan::Api(api) => limits.idle_with(api.time),
            _ => limits.idle.0,
        };
        GuardOptions::new()
            .name(self.name.as_str())
            .bounds(limits.concurrent, limits.queued)
            .queue_time(limits.queue_time.0)
            .retries(limits.retries)
            .idle(idle)
            .total(limits.total.0)
            .heed_retry_after(limits.heed_retry_after)
            .breaker(breaker)
    }

    /// How many instances there may be, and how long they are kept.
    #[must_use]
    pub fn scoped(&self) -> ScopedOptions {
        ScopedOptions::default()
            .instances(self.limits.sessions)
            .idle(at_least_a_second(self.limits.session_idle.0))
            .age(at_least_a_second(self.limits.session_age.0))
    }

    /// Applies the same limits to the sessions of one instance, where the server is legacy.
    pub(crate) fn bound_sessions(&self, options: ToLegacyOptions) -> ToLegacyOptions {
        options.sessions(self.limits.sessions).idle(at_least_a_second(self.limits.session_idle.0))
    }
}

fn at_least_a_second(time: Duration) -> Duration {
    time.max(Duration::from_secs(1))
}

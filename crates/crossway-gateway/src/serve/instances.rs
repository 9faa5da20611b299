//! Health of all instances of an upstream, for operators.

use std::sync::{Arc, Weak};

use crossway_router::Scoped;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::limits::TROUBLE_TIME;
use crate::operations::{InstanceCounts, UpstreamState, UpstreamStatus};
use crate::upstream::attempts::Attempts;
use crate::upstream::health::UpstreamHealth;

/// The living instances of an upstream. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Instances(Arc<Mutex<Vec<Weak<Shown>>>>, Arc<Mutex<Option<Trouble>>>, Attempts);

/// Why calls fail before they reach an instance.
struct Trouble {
    since: Instant,
    last: Instant,
    why: String,
}

/// Shows an instance until it is dropped.
pub(super) struct Shown(Arc<UpstreamHealth>);

impl Instances {
    /// Adds an instance.
    pub(super) fn show(&self, vitals: &Arc<UpstreamHealth>) -> Arc<Shown> {
        let shown = Arc::new(Shown(Arc::clone(vitals)));
        let mut all = self.all();
        // Instances are made rarely, so looking at all of them is cheap enough.
        all.retain(|it| it.strong_count() > 0);
        all.push(Arc::downgrade(&shown));
        shown
    }

    /// Their attempts to reach the server.
    pub(super) fn attempts(&self) -> &Attempts {
        &self.2
    }

    /// Notes that a call could not be sent because a source of credentials failed.
    pub(super) fn trouble(&self, why: String) {
        let current = Instant::now();
        let mut trouble = self.1.lock();
        let since = trouble.as_ref().filter(|trouble| trouble.is_recent()).map_or(current, |it| it.since);
        *trouble = Some(Trouble { since, last: current, why });
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<Shown>>> {
        self.0.lock()
    }
}

impl Trouble {
    fn is_recent(&self) -> bool {
        self.last.elapsed() < TROUBLE_TIME
    }
}

/// An upstream as shown to operators.
#[derive(Clone)]
pub(super) struct MonitoredUpstream {
    pub(super) name: String,
    pub(super) scoped: Scoped,
    pub(super) instances: Instances,
}

impl MonitoredUpstream {
    /// The status of the upstream: that of its best instance, which shows whether the upstream can be reached at all, and how many others
    /// differ. Without an instance it is idle, or down if calls have failed before they reached one.
    pub(super) fn status(&self) -> UpstreamStatus {
        let shown: Vec<Arc<Shown>> = self.instances.all().iter().filter_map(Weak::upgrade).collect();
        let all: Vec<UpstreamStatus> = shown.iter().map(|it| it.0.status(&self.name)).collect();
        let count = |state| all.iter().filter(|it| it.state == state).count();
        let (up, trying) = (count(UpstreamState::Up), count(UpstreamState::Trying));
        let counts = InstanceCounts { up, trying, down: count(UpstreamState::Down) };
        let any_error = all.iter().find_map(|it| it.last_error.clone());
        let best = all.into_iter().max_by_key(rank);
        let trouble = self.instances.1.lock();
        let trouble = trouble.as_ref().filter(|trouble| trouble.is_recent());
        let mut status = best.unwrap_or_else(|| {
            let state = if trouble.is_some() { UpstreamState::Down } else { UpstreamState::Idle };
            let mut status = UpstreamStatus::new(&self.name, state);
            status.seconds = trouble.map(|trouble| trouble.since.elapsed().as_secs());
            status
        });
        let trouble = trouble.map(|trouble| trouble.why.clone());
        status.last_error = status.last_error.or(any_error).or(trouble);
        status.connections = Some(self.scoped.len());
        status.instances = Some(counts);
        status
    }
}

/// The order in which one of several statuses is shown: the better state first; of two that are up, the one that has been up for
/// longer; of two that are not, the one that was up more recently.
fn rank(status: &UpstreamStatus) -> (u8, i64) {
    let seconds = status.seconds.and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or_default();
    match status.state {
        UpstreamState::Idle => (0, 0),
        UpstreamState::Down => (1, -seconds),
        UpstreamState::Trying => (2, -seconds),
        UpstreamState::Up => (3, seconds),
    }
}

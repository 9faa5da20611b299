//! Health of an upstream, from its guard and its connection attempts.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crossway_router::guard::Guard;
use crossway_service::Upstream;
use tokio::time::Instant;

use crate::operations::{UpstreamState, UpstreamStatus};

/// How one server is. It is told by whoever reaches it, and asked for operators; calls pay nothing for it.
pub(crate) struct Vitals {
    guard: OnceLock<Guard<Arc<dyn Upstream>>>,
    reaching: Mutex<Reaching>,
}

/// How it is as long as it was never reached.
struct Reaching {
    since: Instant,
    /// Why it could not be reached the last time.
    why: Option<String>,
}

impl Default for Vitals {
    fn default() -> Self {
        Self { guard: OnceLock::new(), reaching: Mutex::new(Reaching { since: Instant::now(), why: None }) }
    }
}

impl Vitals {
    /// It is there. From now on its guard knows how it is.
    pub(crate) fn reached(&self, guard: Guard<Arc<dyn Upstream>>) {
        // It is reached once.
        let _ = self.guard.set(guard);
    }

    /// It could not be reached, and is tried again.
    pub(crate) fn failed(&self, why: String) {
        let mut reaching = self.reaching.lock().unwrap_or_else(PoisonError::into_inner);
        if reaching.why.replace(why).is_none() {
            reaching.since = Instant::now();
        }
    }

    /// How it is now.
    pub(crate) fn status(&self, name: &str) -> UpstreamStatus {
        if let Some(guard) = self.guard.get() {
            return UpstreamStatus::from_health(name, &guard.health());
        }
        let reaching = self.reaching.lock().unwrap_or_else(PoisonError::into_inner);
        let state = if reaching.why.is_some() { UpstreamState::Down } else { UpstreamState::Trying };
        let mut status = UpstreamStatus::new(name, state);
        status.seconds = Some(reaching.since.elapsed().as_secs());
        status.last_error.clone_from(&reaching.why);
        status
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_never_reached_is_tried_and_then_down_until_it_is_there() {
        let vitals = Vitals::default();
        assert_eq!(vitals.status("wiki").state, UpstreamState::Trying);
        tokio::time::advance(Duration::from_secs(5)).await;
        for why in ["no such command", "no such folder"] {
            vitals.failed(why.to_owned());
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        let down = vitals.status("wiki");
        assert_eq!((down.state, down.seconds), (UpstreamState::Down, Some(4)));
        assert_eq!(down.last_error.as_deref(), Some("no such folder"));
        let (upstream, _servers) = crossway_testkit::Scripted::new();
        vitals.reached(Guard::new(Arc::new(upstream), crossway_router::guard::GuardOptions::new()));
        assert_eq!(vitals.status("wiki").state, UpstreamState::Up);
    }
}

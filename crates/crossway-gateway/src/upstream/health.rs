//! Health of an upstream, from its guard and its connection attempts.

use std::sync::{Arc, OnceLock};

use crossway_router::guard::Guard;
use crossway_service::Upstream;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::operations::{UpstreamState, UpstreamStatus};

/// The health of a server, updated by the connecting task and read for operators. It costs calls nothing.
pub(crate) struct UpstreamHealth {
    guard: OnceLock<(Guard<Arc<dyn Upstream>>, Answered)>,
    reaching: Mutex<Reaching>,
}

/// Returns whether the server has ever answered.
type Answered = Box<dyn Fn() -> bool + Send + Sync>;

/// The state of a server that was never reached.
struct Reaching {
    since: Instant,
    /// Why the last attempt failed.
    why: Option<String>,
}

impl Default for UpstreamHealth {
    fn default() -> Self {
        Self { guard: OnceLock::new(), reaching: Mutex::new(Reaching { since: Instant::now(), why: None }) }
    }
}

impl UpstreamHealth {
    /// Records that the server was reached. From now on its guard provides the health, once the server has answered.
    pub(crate) fn reached(&self, guard: Guard<Arc<dyn Upstream>>, answered: Answered) {
        // Called once only.
        let _ = self.guard.set((guard, answered));
    }

    /// Records that the server could not be reached, and will be tried again.
    pub(crate) fn failed(&self, why: String) {
        let mut reaching = self.reaching.lock();
        if reaching.why.replace(why).is_none() {
            reaching.since = Instant::now();
        }
    }

    /// Returns the current status.
    pub(crate) fn status(&self, name: &str) -> UpstreamStatus {
        if let Some((guard, answered)) = self.guard.get() {
            let mut status = UpstreamStatus::from_health(name, &guard.health());
            // A command that was started and has not answered is not up, even if too few calls have failed so far.
            if status.state == UpstreamState::Up && !answered() {
                let has_failed = status.last_error.is_some();
                status.state = if has_failed { UpstreamState::Down } else { UpstreamState::Trying };
            }
            return status;
        }
        let reaching = self.reaching.lock();
        let state = if reaching.why.is_some() { UpstreamState::Down } else { UpstreamState::Trying };
        let mut status = UpstreamStatus::new(name, state);
        status.seconds = Some(reaching.since.elapsed().as_secs());
        status.last_error.clone_from(&reaching.why);
        status
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use crossway_proto::{Limits, Message};
    use crossway_service::{Call, Context, Scope};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_never_reached_is_tried_and_then_down_until_it_is_there() {
        let vitals = UpstreamHealth::default();
        assert_eq!(vitals.status("wiki").state, UpstreamState::Trying);
        tokio::time::advance(Duration::from_secs(5)).await;
        for why in ["no such command", "no such folder"] {
            vitals.failed(why.to_owned());
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        let down = vitals.status("wiki");
        assert_eq!((down.state, down.seconds), (UpstreamState::Down, Some(4)));
        assert_eq!(down.last_error.as_deref(), Some("no such folder"));
        let (upstream, servers) = crossway_testkit::Scripted::new();
        let upstream: Arc<dyn Upstream> = Arc::new(upstream);
        let guard = Guard::new(upstream, crossway_router::guard::GuardOptions::new());
        let has_answered = Arc::new(AtomicBool::new(false));
        let answered = Arc::clone(&has_answered);
        vitals.reached(guard.clone(), Box::new(move || answered.load(Ordering::Relaxed)));
        assert_eq!(vitals.status("wiki").state, UpstreamState::Trying);
        // A call that has no answer in time shows that it is none.
        drop(servers);
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
        let message = Message::parse(bytes::Bytes::from(text), &Limits::default()).unwrap();
        let mut reply = guard.connect(Scope::Shared).call(Call::message(message, Context::default()));
        assert!(reply.next().await.unwrap().is_err());
        let silent = vitals.status("wiki");
        assert_eq!((silent.state, silent.last_error.is_some()), (UpstreamState::Down, true));
        has_answered.store(true, Ordering::Relaxed);
        assert_eq!(vitals.status("wiki").state, UpstreamState::Up);
    }
}

//! One server of a bridge with several: connected in the background, and again after a failure.

use std::sync::Arc;
use std::time::Duration;

use crossway_router::guard::{Guard, GuardOptions};
use crossway_router::{ToLegacyOptions, jittered};
use crossway_service::with_causes;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::limits::{UPSTREAM_RETRY, UPSTREAM_RETRY_MOST};
use crate::servers::Server;
use crate::upstream::attempts::Attempts;
use crate::upstream::connect::{Connect, Connected};
use crate::upstream::disabled::Without;
use crate::upstream::eras::any_era_of;
use crate::upstream::health::UpstreamHealth;
use crate::upstream::pending::{PendingUpstream, UpstreamReady};

/// A server, connected or being connected.
pub(crate) struct Member {
    server: Server,
    connected: Arc<Mutex<Option<Arc<Connected>>>>,
    connecting: JoinHandle<()>,
    vitals: Arc<UpstreamHealth>,
    attempts: Attempts,
}

impl Member {
    /// Starts to connect to a server, and calls `arrived` once it is connected. Returns the server in the modern shape, for
    /// routers, and for clients of both eras. `to_legacy` decides who shares sessions with a legacy server, and `attempts` is shared by all
    /// instances of the server.
    pub(crate) fn start(
        connect: Connect,
        server: Server,
        guard: GuardOptions,
        to_legacy: ToLegacyOptions,
        attempts: Attempts,
        arrived: impl Fn() + Send + 'static,
    ) -> (Self, PendingUpstream, PendingUpstream) {
        let (modern, for_router) = PendingUpstream::new();
        let (any_era, for_clients) = PendingUpstream::new();
        let connected = Arc::default();
        let vitals = Arc::<UpstreamHealth>::default();
        let connecting = Connecting {
            connect,
            server: server.clone(),
            guard,
            to_legacy,
            modern,
            any_era,
            connected: Arc::clone(&connected),
            vitals: Arc::clone(&vitals),
            attempts: attempts.clone(),
        };
        let connecting = tokio::spawn(connecting.run(arrived));
        (Self { server, connected, connecting, vitals, attempts }, for_router, for_clients)
    }

    pub(crate) fn name(&self) -> &str {
        &self.server.name
    }

    /// The server's health.
    pub(crate) fn vitals(&self) -> &Arc<UpstreamHealth> {
        &self.vitals
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Closes the server once calls in flight have had this much time. One that can't be reached is tried no more.
    pub(crate) fn retire(self, drain: Duration) {
        self.attempts.end();
        tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            self.close().await;
        });
    }

    /// Stops connecting, and closes the server.
    pub(crate) async fn close(self) {
        self.connecting.abort();
        let connected = self.connected.lock().take();
        if let Some(connected) = connected {
            connected.close().await;
        }
    }
}

struct Connecting {
    connect: Connect,
    server: Server,
    guard: GuardOptions,
    to_legacy: ToLegacyOptions,
    modern: UpstreamReady,
    any_era: UpstreamReady,
    connected: Arc<Mutex<Option<Arc<Connected>>>>,
    vitals: Arc<UpstreamHealth>,
    attempts: Attempts,
}

impl Connecting {
    async fn run(self, arrived: impl Fn()) {
        let name = &self.server.name;
        let (mut pause, most) = (UPSTREAM_RETRY, UPSTREAM_RETRY_MOST);
        loop {
            match (self.connect)(name, self.server.upstream.clone()).await {
                Ok(connected) => {
                    connected.announce(name);
                    // A server that fails or is slow gets no calls for a while, so that it does not hold up the others.
                    let upstream =
                        Without::around(Arc::clone(&connected.upstream), &self.server.disabled_tools);
                    let guarded = Guard::new(upstream, self.guard.clone());
                    self.vitals.reached(guarded.clone(), connected.answered());
                    self.attempts.reached();
                    let any_era = any_era_of(name, Arc::new(guarded), &connected, self.to_legacy.clone());
                    *self.connected.lock() = Some(Arc::new(connected));
                    self.modern.arrive(any_era.modern());
                    self.any_era.arrive(Arc::new(any_era));
                    arrived();
                    // Keeps both senders alive.
                    return std::future::pending().await;
                }
                Err(error) => {
                    let why = with_causes(&error);
                    if let Some(left_out) = self.attempts.line(&why) {
                        let again_in_seconds = pause.as_secs();
                        tracing::warn!(server = %name, again_in_seconds, left_out, "can't be reached: {why}");
                    }
                    self.vitals.failed(why.clone());
                    self.modern.fail(why.clone());
                    self.any_era.fail(why);
                }
            }
            // Instances that began together, as after an outage, do not all come back at once.
            tokio::time::sleep(jittered(pause)).await;
            if self.attempts.are_over() {
                // Keeps both senders alive.
                return std::future::pending().await;
            }
            pause = (pause * 2).min(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crossway_router::SharedBy;
    use crossway_stdio::StartError;

    use super::*;
    use crate::plan::{CommandPlan, UpstreamPlan};

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_never_reached_is_tried_no_more_once_it_is_retired() {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let connect: Connect = Arc::new(move |name, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            let why = StartError::NotFound { program: name.to_owned() };
            Box::pin(async { Err(why.into()) })
        });
        let plan = CommandPlan {
            program: "gone".into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            is_hidden: false,
            tenant: None,
        };
        let server = Server {
            name: "gone".to_owned(),
            upstream: UpstreamPlan::Command(plan),
            disabled_tools: BTreeSet::new(),
        };
        let options = ToLegacyOptions::shared_by(SharedBy::Everyone);
        let (member, ..) =
            Member::start(connect, server, GuardOptions::new(), options, Attempts::default(), || {});
        while tries.load(Ordering::Relaxed) < 3 {
            tokio::time::advance(UPSTREAM_RETRY).await;
        }
        // Calls in flight may take an hour to drain.
        member.retire(Duration::from_secs(3600));
        for _ in 0..20 {
            tokio::time::advance(UPSTREAM_RETRY_MOST).await;
        }
        assert_eq!(tries.load(Ordering::Relaxed), 3);
    }
}

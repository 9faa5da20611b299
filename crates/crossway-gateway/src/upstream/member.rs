//! One server of a bridge with several: connected in the background, and again after a failure.

use std::sync::Arc;
use std::time::Duration;

use crossway_router::ToLegacyOptions;
use crossway_router::guard::{Guard, GuardOptions};
use crossway_service::with_causes;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::limits::{UPSTREAM_RETRY, UPSTREAM_RETRY_MOST};
use crate::servers::Server;
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
}

impl Member {
    /// Starts to connect to a server, and calls `arrived` once it is connected. Returns the server in the modern shape, for
    /// routers, and for clients of both eras. `to_legacy` decides who shares sessions with a legacy server.
    pub(crate) fn start(
        connect: Connect,
        server: Server,
        guard: GuardOptions,
        to_legacy: ToLegacyOptions,
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
        };
        let connecting = tokio::spawn(connecting.run(arrived));
        (Self { server, connected, connecting, vitals }, for_router, for_clients)
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

    /// Closes the server once calls in flight have had this much time.
    pub(crate) fn retire(self, drain: Duration) {
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
                    tracing::warn!(server = %name, again_in_seconds = pause.as_secs(), "can't be reached: {why}");
                    self.vitals.failed(why.clone());
                    self.modern.fail(why.clone());
                    self.any_era.fail(why);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(most);
        }
    }
}

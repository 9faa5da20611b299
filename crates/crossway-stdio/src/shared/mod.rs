//! The child that all stateless requests share: probed for its era, and restarted when it crashes.

mod backoff;
mod probe;
mod supervise;

use std::sync::Arc;

use crossway_proto::Era;
use crossway_service::{Ask, Call, CallError, Closing, Connection, Link, Reason, Reply};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::StartError;
use crate::child::Plan;
use backoff::Backoff;

/// The state of the shared child of stateless requests.
pub(crate) struct Shared {
    plan: Arc<Plan>,
    phase: watch::Sender<Phase>,
    backoff: Mutex<Backoff>,
    /// Open while a supervisor is running.
    supervisor: Mutex<Option<watch::Receiver<()>>>,
}

/// The phase of the shared child.
#[derive(Clone)]
enum Phase {
    /// The child was not needed yet.
    Idle,
    /// The child is being started and probed.
    Starting,
    /// The child is running and modern.
    Up(Link),
    /// The child has ended. It is restarted at `until`: by its supervisor, or, without one, by the first call after
    /// that.
    Down { error: StartError, until: Instant, is_supervised: bool },
    /// The server is legacy: there is no shared child.
    Legacy,
    /// Closed: no more calls.
    Closed,
}

impl Shared {
    fn call(self: &Arc<Self>, call: Call) -> Reply {
        if matches!(call.ask, Ask::Listen) {
            return self.listen();
        }
        match self.verdict() {
            Ok(link) => link.call(call),
            Err(Some(error)) => Reply::failed(error),
            Err(None) => {
                self.start();
                let shared = Arc::clone(self);
                Reply::pending(async move {
                    shared.settled().await;
                    match shared.verdict() {
                        Ok(link) => link.call(call),
                        Err(error) => Reply::failed(error.unwrap_or(CallError::not_sent(Reason::Closing))),
                    }
                })
            }
        }
    }

    /// Stateless requests have no standing stream (2026-07-28: `subscriptions/listen` is a request), so this one stays
    /// silent until the end.
    fn listen(&self) -> Reply {
        let mut phase = self.phase.subscribe();
        Reply::pending(async move {
            let _ = phase.wait_for(|phase| matches!(phase, Phase::Closed)).await;
            Reply::accepted()
        })
    }

    /// Returns the link for a call, or why there is none; `None` if that is not known yet.
    fn verdict(&self) -> Result<Link, Option<CallError>> {
        let reason = match &*self.phase.borrow() {
            Phase::Up(link) => return Ok(link.clone()),
            Phase::Idle | Phase::Starting => return Err(None),
            Phase::Down { until, is_supervised: false, .. } if *until <= Instant::now() => return Err(None),
            Phase::Down { error, until, .. } => {
                let pause = until.saturating_duration_since(Instant::now()).as_millis();
                Reason::Unavailable(error.why().and_public(&format!("; it is started again in {pause} ms")))
            }
            Phase::Legacy => Reason::LegacyOnly,
            Phase::Closed => Reason::Closing,
        };
        Err(Some(CallError::not_sent(reason)))
    }

    /// Returns the era of the server, detecting it if necessary. A modern child that is started for that then serves calls.
    pub(crate) async fn era(self: &Arc<Self>) -> Result<Era, StartError> {
        self.start();
        self.settled().await;
        match &*self.phase.borrow() {
            Phase::Up(_) => Ok(Era::Modern),
            Phase::Legacy => Ok(Era::Legacy),
            Phase::Down { error, .. } => Err(error.clone()),
            Phase::Idle | Phase::Starting | Phase::Closed => Err(StartError::Closing),
        }
    }

    /// Starts the child, unless it was started already or the pause is not over.
    fn start(self: &Arc<Self>) {
        let is_due = self.phase.send_if_modified(|phase| {
            let is_due = match phase {
                Phase::Idle => true,
                Phase::Down { until, is_supervised, .. } => !*is_supervised && *until <= Instant::now(),
                _ => false,
            };
            if is_due {
                *phase = Phase::Starting;
            }
            is_due
        });
        if is_due {
            let (done_when_dropped, done) = watch::channel(());
            *self.supervisor.lock() = Some(done);
            let shared = Arc::clone(self);
            tokio::spawn(async move {
                shared.supervise().await;
                drop(done_when_dropped);
            });
        }
    }

    async fn settled(&self) {
        let mut phase = self.phase.subscribe();
        // `self` has the sender, so the channel is open.
        let _ = phase.wait_for(|phase| !matches!(phase, Phase::Starting)).await;
    }

    /// Ends the child, and starts no more.
    pub(crate) fn close(&self) -> Closing {
        self.phase.send_replace(Phase::Closed);
        let supervisor = self.supervisor.lock().clone();
        Box::pin(async move {
            if let Some(mut supervisor) = supervisor {
                while supervisor.changed().await.is_ok() {}
            }
        })
    }

    fn is_closed(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Closed)
    }
}

/// A handle of the shared child. Dropping the last one ends the child.
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let backoff = Backoff::new(plan.options.restart_first, plan.options.restart_most);
        Self(Arc::new(Shared {
            plan: Arc::clone(plan),
            phase: watch::Sender::new(Phase::Idle),
            backoff: Mutex::new(backoff),
            supervisor: Mutex::default(),
        }))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The supervisor does the rest.
        drop(self.0.close());
    }
}

/// The shared child as a connection.
pub(crate) struct SharedConnection(pub(crate) Arc<Handle>);

impl Connection for SharedConnection {
    fn call(&self, call: Call) -> Reply {
        self.0.0.call(call)
    }

    fn close(&self) -> Closing {
        self.0.0.close()
    }
}

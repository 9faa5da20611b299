//! A child process and the connection with it.
//!
//! Each child has two tasks. The busy one reads stdout and writes what senders could not ([`carry`]). The other is
//! mostly asleep: it follows stderr, waits for the exit, and ends the child ([`keep`]).

mod carry;
mod intake;
mod keep;
#[cfg(unix)]
mod outbox;
#[cfg(not(unix))]
#[path = "outbox_portable.rs"]
mod outbox;
mod outlet;
#[cfg(unix)]
mod pipe;
mod start;
mod stderr;
mod tree;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossway_proto::Era;
use crossway_service::mux::{Mux, Overflow};
use crossway_service::{Link, Scope};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Command, Exit, Options, StartError};
use outbox::Outbox;
use outlet::ChildOutlet;

/// A child's stdin.
#[cfg(unix)]
type Stdin = Arc<pipe::Pipe>;
#[cfg(not(unix))]
type Stdin = tokio::process::ChildStdin;

/// A child's stdout.
#[cfg(unix)]
type Stdout = tokio::net::unix::pipe::Receiver;
#[cfg(not(unix))]
type Stdout = tokio::process::ChildStdout;

/// The state that all children of an upstream share.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) command: Command,
    pub(crate) options: Options,
    /// Whether all children are to end.
    closing: watch::Sender<bool>,
    /// The number of children.
    alive: watch::Sender<usize>,
    /// The detected era of the server.
    era: watch::Sender<Option<Era>>,
    /// Whether a child has ever answered.
    answered: Arc<AtomicBool>,
}

impl Plan {
    pub(crate) fn new(command: Command, options: Options) -> Self {
        Self {
            command,
            options,
            closing: watch::Sender::new(false),
            alive: watch::Sender::new(0),
            era: watch::Sender::new(None),
            answered: Arc::default(),
        }
    }

    pub(crate) fn answered(&self) -> &Arc<AtomicBool> {
        &self.answered
    }

    pub(crate) fn era(&self) -> Option<Era> {
        *self.era.borrow()
    }

    /// Waits until the era is known; `None` if it never will be.
    pub(crate) fn era_when_known(&self) -> impl Future<Output = Option<Era>> + Send + use<> {
        let mut era = self.era.subscribe();
        async move { era.wait_for(Option::is_some).await.ok().and_then(|era| *era) }
    }

    pub(crate) fn set_era(&self, era: Era) {
        self.era.send_replace(Some(era));
    }

    /// Ends all children, and waits for that.
    pub(crate) async fn close(&self) {
        self.closing.send_replace(true);
        // `self` has the sender, so the channel is open.
        let _ = self.alive.subscribe().wait_for(|alive| *alive == 0).await;
    }
}

/// Counts a child until dropped.
struct Alive(Arc<Plan>);

impl Alive {
    fn new(plan: &Arc<Plan>) -> Self {
        plan.alive.send_modify(|alive| *alive += 1);
        Self(Arc::clone(plan))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.send_modify(|alive| *alive -= 1);
    }
}

/// The result of a child's run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: Result<Exit, StartError>,
    /// The number of results and errors from the child.
    pub(crate) answers: u64,
}

/// Starts a child in a task, and returns the connection with it at once. Errors are reported by the link's replies and
/// by the task's result.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// `scope` says whose the child is. The end of a session's child is logged; who starts the shared one logs what that means.
pub(crate) fn connect(plan: &Arc<Plan>, scope: Scope) -> (Link, JoinHandle<Ended>) {
    let (gone_when_dropped, gone) = watch::channel(());
    let outlet = ChildOutlet::new(Outbox::new(plan.options.outgoing_bytes), gone);
    let stop = outlet.stopping();
    let mux = Mux::new(outlet, plan.options.service, Overflow::from(scope));
    let link = mux.link();
    let alive = Alive::new(plan);
    let keeper = tokio::spawn(async move {
        let ended = keep::keep(&alive.0, scope, mux, stop).await;
        drop(gone_when_dropped);
        ended
    });
    (link, keeper)
}

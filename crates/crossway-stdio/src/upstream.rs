//! A command's MCP server as an upstream.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crossway_service::{Link, Scope, Upstream};

use crate::child::{self, Plan};
use crate::shared::{Handle, SharedConnection};
use crate::{Command, Options, StartError};

/// Which kind of revisions a server speaks (2026-07-28, basic/versioning).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2026-07-28 or later; it may speak earlier ones as well.
    Modern,
    /// Only such as open with `initialize`.
    Legacy,
}

/// An MCP server that is started as a child process and spoken to on its stdin and stdout.
///
/// Each [`Scope::Session`], and each [`Scope::Pooled`], has a child of its own, which is not started anew: the session is over with it. All links
/// of [`Scope::Shared`] share one child, which is: after a crash, with pauses that grow as long as it answers no
/// call. Before its first call the shared child is asked for its era, and if it is a legacy one, all calls on such
/// links fail with [`Reason::LegacyOnly`](crossway_service::Reason::LegacyOnly).
///
/// A child is ended with all its descendants when its last link is dropped, or closed: its stdin is closed, then
/// they get SIGTERM, then SIGKILL. What is left when the runtime goes is killed. (On Windows, where there are no such
/// signals, a job object ends them. That half is compiled, but was never run.)
///
/// Clones share the shared child.
#[derive(Clone)]
pub struct StdioUpstream {
    plan: Arc<Plan>,
    shared: Arc<Mutex<Option<Arc<Handle>>>>,
}

impl StdioUpstream {
    /// An upstream that runs `command`. Nothing is started yet.
    #[must_use]
    pub fn new(command: Command, options: Options) -> Self {
        Self { plan: Arc::new(Plan::new(command, options)), shared: Arc::default() }
    }

    /// Looks whether the command could be started, without starting it: gives the executable's path.
    ///
    /// # Errors
    ///
    /// As [`Command::check`].
    pub fn check(&self) -> Result<PathBuf, StartError> {
        self.plan.command.check()
    }

    /// Starts the shared child and finds out its era, so that the first client need not wait for that. A modern
    /// child is kept for the calls that come, a legacy one is ended. The verdict is remembered.
    ///
    /// It takes [`Options::probe_timeout`] at most for a child that runs; one that has exited is tried a second
    /// time, as legacy servers may exit when they are asked what they do not know.
    ///
    /// # Errors
    ///
    /// When the child can't be started, or exits at once: with its status and its last words.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the search goes on without whoever asked for it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn probe(&self) -> Result<Era, StartError> {
        let handle = self.shared();
        handle.shared().era().await
    }

    /// The era that the server was found to be of; `None` as long as that is not known for sure. A server that is slow to
    /// start is taken for a legacy one at first, by [`probe`](StdioUpstream::probe) too, and may turn out to be modern.
    #[must_use]
    pub fn era(&self) -> Option<Era> {
        self.plan.era()
    }

    /// The same, once it is known for sure; `None` if it is not by the time that the upstream is gone. The future does not hold the
    /// upstream.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn era_when_known(&self) -> impl Future<Output = Option<Era>> + Send + use<> {
        self.plan.era_when_known()
    }

    /// Says whether a child has ever answered anything: a command that runs may be no MCP server, or one that is slow to start. What says so
    /// does not hold the upstream.
    pub fn answered(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let answered = Arc::clone(self.plan.answered());
        move || answered.load(Ordering::Relaxed)
    }

    /// Ends all children with their descendants, those of sessions too, and waits for that. Links give errors from
    /// then on.
    pub async fn close(&self) {
        let handle = self.shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            handle.shared().close().await;
        }
        self.plan.close().await;
    }

    fn shared(&self) -> Arc<Handle> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Some(handle) if !handle.is_closed() => Arc::clone(handle),
            _ => Arc::clone(shared.insert(Arc::new(Handle::new(&self.plan)))),
        }
    }
}

impl Upstream for StdioUpstream {
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    fn connect(&self, scope: Scope) -> Link {
        match scope {
            Scope::Shared => Link::new(SharedConnection(self.shared())),
            // The keepers end with the links.
            _ => child::connect(&self.plan, scope.into()).0,
        }
    }
}

impl fmt::Debug for StdioUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StdioUpstream").field(&self.plan.command).finish()
    }
}

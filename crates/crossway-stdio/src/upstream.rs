//! A command's MCP server as an upstream.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossway_proto::Era;
use crossway_service::{Link, Scope, Upstream};
use parking_lot::Mutex;

use crate::child::{self, Plan};
use crate::shared::{Handle, SharedConnection};
use crate::{Command, Options, StartError};

/// An MCP server that is started as a child process and spoken to on its stdin and stdout.
///
/// Each [`Scope::Session`] and each [`Scope::Pooled`] has its own child, which is not restarted: its end is the end of
/// the session. All links of [`Scope::Shared`] share one child, which is restarted after a crash, with pauses that grow
/// as long as it answers no call. Before its first call, the shared child is probed for its era; if it is legacy, all
/// calls on such links fail with [`Reason::LegacyOnly`](crossway_service::Reason::LegacyOnly).
///
/// A child and all its descendants are ended when its last link is dropped or closed: its stdin is closed, then they get
/// SIGTERM, then SIGKILL. Those that are left when the runtime ends are killed. (On Windows, which has no such signals, a
/// job object ends them. That half is compiled, but was never run.)
///
/// Clones share the shared child.
#[derive(Clone)]
pub struct StdioUpstream {
    plan: Arc<Plan>,
    shared: Arc<Mutex<Option<Arc<Handle>>>>,
}

impl StdioUpstream {
    /// Creates an upstream that runs `command`. Nothing is started yet.
    #[must_use]
    pub fn new(command: Command, options: Options) -> Self {
        Self { plan: Arc::new(Plan::new(command, options)), shared: Arc::default() }
    }

    /// Checks whether the command could be started, without starting it. Returns the executable's path.
    ///
    /// # Errors
    ///
    /// As [`Command::check`].
    pub fn check(&self) -> Result<PathBuf, StartError> {
        self.plan.command.check()
    }

    /// Starts the shared child and detects its era, so that the first client need not wait for that. A modern child is
    /// kept for calls, a legacy one is ended. The result is remembered. A modern server may speak legacy revisions as well.
    ///
    /// This takes at most [`Options::probe_timeout`] for a running child; a child that exits is tried a second time,
    /// because legacy servers may exit on an unknown method.
    ///
    /// # Errors
    ///
    /// When the child can't be started, or exits at once: with its status and its last lines on stderr.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the detection continues in the background.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn probe(&self) -> Result<Era, StartError> {
        let handle = self.shared();
        handle.shared().era().await
    }

    /// The detected era of the server; `None` until it is known for sure. A server that is slow to start is taken for legacy
    /// at first, also by [`probe`](StdioUpstream::probe), and may turn out to be modern.
    #[must_use]
    pub fn era(&self) -> Option<Era> {
        self.plan.era()
    }

    /// Waits until the era is known for sure; `None` if the upstream is dropped before. The future does not keep the upstream
    /// alive.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn era_when_known(&self) -> impl Future<Output = Option<Era>> + Send + use<> {
        self.plan.era_when_known()
    }

    /// Returns a function that tells whether a child has ever answered: a running command may not be an MCP server, or be slow to start.
    /// The function does not keep the upstream alive.
    pub fn answered(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let answered = Arc::clone(self.plan.answered());
        move || answered.load(Ordering::Relaxed)
    }

    /// Ends all children with their descendants, including those of sessions, and waits for that. From then on, links
    /// return errors.
    pub async fn close(&self) {
        let handle = self.shared.lock().take();
        if let Some(handle) = handle {
            handle.shared().close().await;
        }
        self.plan.close().await;
    }

    fn shared(&self) -> Arc<Handle> {
        let mut shared = self.shared.lock();
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
            Scope::Session | Scope::Pooled => child::connect(&self.plan, scope).0,
        }
    }
}

impl fmt::Debug for StdioUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StdioUpstream").field(&self.plan.command).finish()
    }
}

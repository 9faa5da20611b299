//! Shutdown work in the background, awaited when the gateway ends.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::limits::ENDINGS;

/// The instances and upstreams that are being closed: unused ones, and those that the config no longer names. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Endings {
    tasks: TaskTracker,
    hurry: CancellationToken,
}

/// Something that has to be closed before the process ends.
pub(super) struct Lasting {
    endings: Endings,
    /// Held until it is closed.
    token: TaskTrackerToken,
}

impl Endings {
    /// Registers something that has to be closed.
    pub(super) fn expect(&self) -> Lasting {
        Lasting { endings: self.clone(), token: self.tasks.token() }
    }

    /// Runs `ending` after a pause, or at once when the gateway ends.
    pub(super) fn later(&self, after: Duration, ending: impl Future<Output = ()> + Send + 'static) {
        let hurry = self.hurry.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                () = hurry.cancelled() => {}
            }
            ending.await;
        });
    }

    /// Waits until everything is closed, for [`ENDINGS`] at most.
    pub(super) async fn all(&self) {
        self.hurry.cancel();
        self.tasks.close();
        if tokio::time::timeout(ENDINGS, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "connections with MCP servers have not ended in time");
        }
    }
}

impl Lasting {
    /// Closes it in the background.
    pub(super) fn end(self, ending: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let Self { endings, token } = self;
        endings.tasks.spawn_on(ending, &runtime);
        drop(token);
    }
}

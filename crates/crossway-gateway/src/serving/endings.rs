//! Shutdown work in the background, awaited when the gateway ends.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::limits::ENDINGS;

/// Instances that nobody uses any more, and upstreams that the config does not name any more. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Endings {
    tasks: TaskTracker,
    hurry: CancellationToken,
}

/// Something that will have to end.
pub(super) struct Lasting {
    endings: Endings,
    /// Held as long as it has not ended.
    token: TaskTrackerToken,
}

impl Endings {
    /// Takes note of something that will have to end.
    pub(super) fn expect(&self) -> Lasting {
        Lasting { endings: self.clone(), token: self.tasks.token() }
    }

    /// Ends something in a while, or at once when everything ends.
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

    /// Waits until all of it has ended, for [`ENDINGS`] at most.
    pub(super) async fn all(&self) {
        self.hurry.cancel();
        self.tasks.close();
        if tokio::time::timeout(ENDINGS, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "connections with MCP servers have not ended in time");
        }
    }
}

impl Lasting {
    /// It ends, in the background.
    pub(super) fn end(self, ending: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let Self { endings, token } = self;
        endings.tasks.spawn_on(ending, &runtime);
        drop(token);
    }
}

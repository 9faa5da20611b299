//! The API in use, which can be replaced while calls run.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::api::Api;

/// An API that can be replaced by a newer one, such as one whose document is fetched again. Clones share it.
///
/// An upstream [made of it](super::RestUpstream::current) calls the newest API; calls in flight finish with the API that they began
/// with.
#[derive(Clone)]
pub struct CurrentApi(Arc<Shared>);

struct Shared {
    api: RwLock<Api>,
    /// Counts the changes of the tools.
    lists: watch::Sender<u64>,
}

impl CurrentApi {
    /// Begins with this API.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self(Arc::new(Shared { api: RwLock::new(api), lists: watch::Sender::new(0) }))
    }

    /// The newest API.
    #[must_use]
    pub fn now(&self) -> Api {
        self.0.api.read().clone()
    }

    /// Replaces the API. Returns whether the tools differ: then all listeners are notified.
    pub fn replace(&self, api: Api) -> bool {
        let mut now = self.0.api.write();
        let are_others = now.0.definitions != api.0.definitions;
        *now = api;
        drop(now);
        if are_others {
            self.0.lists.send_modify(|times| *times += 1);
        }
        are_others
    }

    /// A counter that changes whenever the tools do.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.lists.subscribe()
    }
}

impl fmt::Debug for CurrentApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentApi").field(&self.now()).finish()
    }
}

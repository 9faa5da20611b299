//! The API in use, which can be replaced while calls run.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::api::Api;

/// An API of which there may be another later, such as one whose document is fetched again. Clones share it.
///
/// An upstream that was made [of it](super::RestUpstream::current) calls the newest; what is being called goes on with the one that it
/// began with.
#[derive(Clone)]
pub struct CurrentApi(Arc<Shared>);

struct Shared {
    api: RwLock<Api>,
    /// How often the tools became others.
    lists: watch::Sender<u64>,
}

impl CurrentApi {
    /// The first.
    #[must_use]
    pub fn new(api: Api) -> Self {
        Self(Arc::new(Shared { api: RwLock::new(api), lists: watch::Sender::new(0) }))
    }

    /// The newest.
    #[must_use]
    pub fn now(&self) -> Api {
        self.0.api.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another in its place. Whether its tools are others: then all who listen are told.
    pub fn replace(&self, api: Api) -> bool {
        let mut now = self.0.api.write().unwrap_or_else(PoisonError::into_inner);
        let are_others = now.0.definitions != api.0.definitions;
        *now = api;
        drop(now);
        if are_others {
            self.0.lists.send_modify(|times| *times += 1);
        }
        are_others
    }

    /// Hears whenever the tools are others.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.lists.subscribe()
    }
}

impl fmt::Debug for CurrentApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentApi").field(&self.now()).finish()
    }
}

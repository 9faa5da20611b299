//! Ends all sessions of an upstream, and waits until the server was told.

use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};
use slab::Slab;
use tokio::sync::watch;

use super::session::Session;
use super::upstream::Shared;

/// An upstream's links, and the number of messages about their ends in flight.
#[derive(Default)]
pub(super) struct Ends {
    links: Mutex<Links>,
    ending: watch::Sender<usize>,
}

#[derive(Default)]
struct Links {
    open: Slab<Weak<Session>>,
    is_closed: bool,
}

impl Ends {
    /// Adds a link. Returns its key, and whether the upstream is closed.
    pub(super) fn enter(&self, session: &Weak<Session>) -> (usize, bool) {
        let mut links = self.links();
        (links.open.insert(Weak::clone(session)), links.is_closed)
    }

    /// Removes a link.
    pub(super) fn leave(&self, key: usize) {
        self.links().open.try_remove(key);
    }

    /// Closes the upstream, and returns its links.
    pub(super) fn close(&self) -> Vec<Arc<Session>> {
        let mut links = self.links();
        links.is_closed = true;
        links.open.iter().filter_map(|(_, session)| session.upgrade()).collect()
    }

    /// Waits until no messages about ends are in flight.
    pub(super) async fn wait_until_told(&self) {
        // `self` has the sender, so the channel is open.
        let _ = self.ending.subscribe().wait_for(|ending| *ending == 0).await;
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock()
    }
}

/// Counts messages about ends as in flight until dropped.
pub(super) struct Ending(Arc<Shared>);

impl Ending {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.ends.ending.send_modify(|ending| *ending += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ends.ending.send_modify(|ending| *ending -= 1);
    }
}

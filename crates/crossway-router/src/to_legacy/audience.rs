//! Listeners to the sessions of one user, one tenant or everybody.

use std::collections::HashMap;

use crossway_proto::Message;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::broadcast;

use super::sharers::Sharer;
use crate::limits::CHANGES;

/// The listeners to all sessions of a user, a tenant or everybody. Some servers report a change only in the
/// session in which it was made, and a listener can't know which session its next call will use.
pub(super) struct Audience {
    changes: broadcast::Sender<Message>,
    /// The listeners to each resource; one that listens twice is there twice.
    uris: Mutex<HashMap<String, Vec<Sharer>>>,
}

impl Default for Audience {
    fn default() -> Self {
        Self { changes: broadcast::Sender::new(CHANGES), uris: Mutex::default() }
    }
}

impl Audience {
    /// Passes a change to all listeners.
    pub(super) fn announce(&self, change: Message) {
        // Nobody may listen.
        let _ = self.changes.send(change);
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Message> {
        self.changes.subscribe()
    }

    /// Adds a listener to a resource.
    pub(super) fn join(&self, uri: &str, sharer: &Sharer) {
        self.uris().entry(uri.to_owned()).or_default().push(sharer.clone());
    }

    /// One fewer listens to it.
    pub(super) fn leave(&self, uri: &str, sharer: &Sharer) {
        let mut uris = self.uris();
        let Some(listeners) = uris.get_mut(uri) else { return };
        if let Some(at) = listeners.iter().position(|other| other == sharer) {
            listeners.swap_remove(at);
        }
        if listeners.is_empty() {
            uris.remove(uri);
        }
    }

    /// Whether this sharer listens to a resource for which `is_known` is false.
    pub(super) fn has_besides(&self, sharer: &Sharer, is_known: impl Fn(&str) -> bool) -> bool {
        self.uris().iter().any(|(uri, listeners)| !is_known(uri) && listeners.contains(sharer))
    }

    pub(super) fn listens_to(&self, uri: &str) -> bool {
        self.uris().contains_key(uri)
    }

    pub(super) fn is_without_resources(&self) -> bool {
        self.uris().is_empty()
    }

    /// The resources with listeners for which `is_known` is false.
    pub(super) fn besides(&self, is_known: impl Fn(&str) -> bool) -> Vec<String> {
        self.uris().keys().filter(|uri| !is_known(uri)).cloned().collect()
    }

    fn uris(&self) -> MutexGuard<'_, HashMap<String, Vec<Sharer>>> {
        self.uris.lock()
    }
}

//! Subscribers to changes: legacy sessions and modern `subscriptions/listen` streams.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    pin::pin,
    sync::Arc,
};

use futures_util::future::join_all;
use parking_lot::{Mutex, MutexGuard};
use rmcp::{
    Peer, RoleServer,
    model::{ErrorData, ResourceUpdatedNotificationParam},
    service::SubscriptionSink,
};

use tokio::{sync::Notify, time::Instant};

use crate::limits::{ENTERING, LISTENERS, TELLING, WATCHED_PER_SESSION};

/// A change.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    Tools,
    Prompts,
    /// The resource with this URI.
    Resource(&'a str),
}

/// A subscriber to changes.
#[derive(Clone, Debug)]
pub(crate) enum Listener {
    /// A legacy session: notified of changes of every list, and of the resources that it subscribed to.
    Session { peer: Peer<RoleServer>, watched: HashSet<String> },
    /// A `subscriptions/listen` stream (2026-07-28), which keeps its own filter.
    Stream(SubscriptionSink),
}

impl Listener {
    fn wants(&self, change: Change<'_>) -> bool {
        match (self, change) {
            (Self::Session { watched, .. }, Change::Resource(uri)) => watched.contains(uri),
            (Self::Session { .. }, Change::Tools | Change::Prompts) => true,
            (Self::Stream(sink), Change::Tools) => sink.accepted().tools_list_changed == Some(true),
            (Self::Stream(sink), Change::Prompts) => sink.accepted().prompts_list_changed == Some(true),
            (Self::Stream(sink), Change::Resource(uri)) => {
                sink.accepted().resource_subscriptions.iter().flatten().any(|accepted| accepted == uri)
            }
        }
    }

    /// Notifies the listener. Returns whether it accepted that; one that is gone does not, and its own ticket removes it from the table.
    async fn tell(&self, change: Change<'_>) -> bool {
        match (self, change) {
            (Self::Session { peer, .. }, Change::Tools) => peer.notify_tool_list_changed().await.is_ok(),
            (Self::Session { peer, .. }, Change::Prompts) => peer.notify_prompt_list_changed().await.is_ok(),
            (Self::Session { peer, .. }, Change::Resource(uri)) => {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_ok()
            }
            (Self::Stream(sink), Change::Tools) => sink.notify_tool_list_changed().await.is_ok(),
            (Self::Stream(sink), Change::Prompts) => sink.notify_prompt_list_changed().await.is_ok(),
            (Self::Stream(sink), Change::Resource(uri)) => sink.notify_resource_updated(uri).await.is_ok(),
        }
    }
}

/// The table of all listeners of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listeners(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    /// Notified when an expected stream is in the table.
    entered: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    entries: HashMap<u64, Listener>,
    /// How long a change waits for each expected stream, in order of expectation.
    expected: VecDeque<Instant>,
}

impl Listeners {
    /// Adds `listener` until its ticket is dropped.
    pub(crate) fn enter(&self, listener: Listener) -> Result<Ticket, ErrorData> {
        let mut table = self.table();
        if table.entries.len() >= LISTENERS {
            return Err(ErrorData::internal_error(
                format!("{LISTENERS} sessions and streams are open, no more"),
                None,
            ));
        }
        table.next += 1;
        let key = table.next;
        table.entries.insert(key, listener);
        Ok(Ticket { listeners: self.clone(), key })
    }

    /// Makes changes wait for a stream whose acknowledgment is about to be sent: its client may cause a change as soon as it has read that,
    /// before [`Self::enter_expected`].
    pub(crate) fn expect(&self) {
        self.table().expected.push_back(Instant::now() + ENTERING);
    }

    /// Like [`Self::enter`], for an expected stream.
    pub(crate) fn enter_expected(&self, listener: Listener) -> Result<Ticket, ErrorData> {
        let ticket = self.enter(listener);
        self.arrived();
        ticket
    }

    fn arrived(&self) {
        self.table().expected.pop_front();
        self.0.entered.notify_waiters();
    }

    /// Waits until every expected stream is in the table or has timed out.
    async fn settled(&self) {
        loop {
            let mut entered = pin!(self.0.entered.notified());
            entered.as_mut().enable();
            let until = {
                let mut table = self.table();
                table.expected.retain(|until| *until > Instant::now());
                table.expected.front().copied()
            };
            let Some(until) = until else { return };
            // On a timeout, the table decides.
            let _ = tokio::time::timeout_at(until, entered).await;
        }
    }

    /// Notifies all interested listeners concurrently, and returns how many accepted that.
    pub(crate) async fn tell(&self, change: Change<'_>) -> usize {
        self.settled().await;
        let wanting: Vec<Listener> =
            self.table().entries.values().filter(|listener| listener.wants(change)).cloned().collect();
        let told = wanting.iter().map(|listener| tokio::time::timeout(TELLING, listener.tell(change)));
        join_all(told).await.into_iter().filter(|told| matches!(told, Ok(true))).count()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock()
    }
}

/// A place in the table.
#[derive(Debug)]
pub(crate) struct Ticket {
    listeners: Listeners,
    key: u64,
}

impl Ticket {
    /// Subscribes a session to changes of the resource `uri`.
    pub(crate) fn watch(&self, uri: &str) -> Result<(), ErrorData> {
        let mut table = self.listeners.table();
        let Some(Listener::Session { watched, .. }) = table.entries.get_mut(&self.key) else { return Ok(()) };
        if watched.len() >= WATCHED_PER_SESSION && !watched.contains(uri) {
            return Err(ErrorData::invalid_params(
                format!("a session may subscribe to {WATCHED_PER_SESSION} resources, no more"),
                None,
            ));
        }
        watched.insert(uri.to_owned());
        Ok(())
    }

    /// Unsubscribes it. Without a subscription this does nothing.
    pub(crate) fn unwatch(&self, uri: &str) {
        if let Some(Listener::Session { watched, .. }) = self.listeners.table().entries.get_mut(&self.key) {
            watched.remove(uri);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.listeners.table().entries.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_waits_for_a_stream_that_is_acknowledged_and_not_yet_in_the_table() {
        let listeners = Listeners::default();
        listeners.expect();
        let mut told = pin!(listeners.tell(Change::Tools));
        assert_eq!(told.as_mut().now_or_never(), None);
        listeners.arrived();
        assert_eq!(told.as_mut().now_or_never(), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_does_not_wait_for_ever_for_a_stream_that_never_comes() {
        let (listeners, begin) = (Listeners::default(), Instant::now());
        listeners.expect();
        assert_eq!(listeners.tell(Change::Tools).await, 0);
        assert_eq!(begin.elapsed(), ENTERING);
        assert_eq!(listeners.tell(Change::Tools).now_or_never(), Some(0));
    }
}

//! What is known of one upstream: its lists, answered from memory.
//!
//! A list is fetched when it is first asked for, over all its pages, and kept. From then on it is answered at once; it is
//! fetched again in the background when the upstream says that it has changed, and when it has expired (`ttlMs`) and is
//! asked for. An upstream that fails keeps its last good lists, marked [stale](State::Stale).
//!
//! What is known is kept apart by what the client can be asked (a legacy server's lists may depend on it), and, unless the
//! upstream is the same for everybody, by [`ScopeKey`](crate::ScopeKey): "`private` [...] Caches **MUST NOT** be shared
//! across authorization contexts" (2026-07-28, server/utilities/caching).

mod entry;
mod list;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossway_era::to_legacy::Asks;
use crossway_proto::Message;
use crossway_service::{CallError, Context, Link, Scope, Upstream};
use tokio::sync::broadcast;

pub use list::ListKind;

use crate::ScopeKey;
use crate::limits::{CHANGES, VIEWS};
pub(crate) use entry::Entry;
pub(crate) use list::Item;

/// What is known of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Nobody has asked yet.
    Unknown,
    /// Its lists are as it last told them.
    Ready,
    /// It fails, and its lists are from before; with the reason.
    Stale(String),
    /// It fails, and nothing is known of it; with the reason.
    Failing(String),
}

/// Who sees the same lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct View {
    scope: Option<ScopeKey>,
    asks: Asks,
}

impl View {
    pub(crate) fn of(request: &Message, context: &Context, is_same_for_all: bool) -> Self {
        let scope = if is_same_for_all { None } else { context.extensions.get::<ScopeKey>().cloned() };
        Self { scope, asks: Asks::of(request) }
    }
}

/// The lists of one modern upstream.
pub(crate) struct Known {
    pub(crate) name: Arc<str>,
    pub(crate) link: Link,
    is_same_for_all: bool,
    views: Mutex<HashMap<View, Arc<Entry>>>,
    changed: broadcast::Sender<ListKind>,
}

impl Known {
    pub(crate) fn new(name: &str, upstream: &dyn Upstream, is_same_for_all: bool) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            link: upstream.connect(Scope::Shared),
            is_same_for_all,
            views: Mutex::default(),
            changed: broadcast::Sender::new(CHANGES),
        })
    }

    /// Tells when a list changes, for any client.
    pub(crate) fn changes(&self) -> broadcast::Receiver<ListKind> {
        self.changed.subscribe()
    }

    /// What is known for the client of a request.
    pub(crate) fn entry(&self, request: &Message, context: &Context) -> Arc<Entry> {
        let view = View::of(request, context, self.is_same_for_all);
        let mut views = self.views();
        if let Some(entry) = views.get(&view) {
            return Arc::clone(entry);
        }
        // Who has no key on an upstream that is not the same for everybody shares with nobody.
        let is_lasting = self.is_same_for_all || view.scope.is_some();
        let new = Entry::new(self.link.clone(), request, context, self.changed.clone(), is_lasting);
        if views.len() >= VIEWS {
            let oldest =
                views.iter().min_by_key(|(_, entry)| entry.last_used()).map(|(view, _)| view.clone());
            if let Some(oldest) = oldest {
                views.remove(&oldest);
            }
        }
        if is_lasting {
            views.insert(view, Arc::clone(&new));
        }
        new
    }

    /// A list's items. Waits only while nothing is known, and not for long.
    ///
    /// # Errors
    ///
    /// When nothing is known and the upstream does not tell.
    pub(crate) async fn list(
        &self,
        kind: ListKind,
        request: &Message,
        context: &Context,
    ) -> Result<Arc<Vec<Item>>, CallError> {
        self.entry(request, context).list(kind).await
    }

    /// How it stands with the upstream, for any of those who asked.
    pub(crate) fn state(&self) -> State {
        let views = self.views();
        let mut worst = State::Unknown;
        for entry in views.values() {
            worst = match (entry.state(), worst) {
                (State::Failing(why), _) => State::Failing(why),
                (State::Stale(why), State::Unknown | State::Ready) => State::Stale(why),
                (State::Ready, State::Unknown) => State::Ready,
                (_, worst) => worst,
            };
        }
        worst
    }

    /// Fetches anew what is known: the upstream has come back, or has been replaced.
    pub(crate) fn refresh(&self) {
        for entry in self.views().values() {
            entry.refresh_all();
        }
    }

    fn views(&self) -> MutexGuard<'_, HashMap<View, Arc<Entry>>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({:?})", self.name)
    }
}

//! Caches an upstream's lists and its `server/discover` result.
//!
//! A list is fetched when it is first requested, over all its pages, and cached; further requests are answered at once. It is fetched
//! again in the background when the upstream reports a change, and when it is requested after it has expired (`ttlMs`). A user's or
//! tenant's list is also fetched again if nobody has listened for its changes meanwhile; a list for everybody is forgotten then. An
//! upstream that fails keeps its last good lists, marked [stale](ListState::Stale).
//!
//! Lists are kept apart by the features of the client (a legacy server's lists may depend on them), and, unless the upstream is the
//! same for everybody, by [`ScopeKey`](crate::ScopeKey): "`private` [...] Caches **MUST NOT** be shared across authorization
//! contexts" (2026-07-28, server/utilities/caching). A list's change is reported only to those who see that list.
//!
//! The first request waits for the upstream's answer, for a few seconds at most. Once an upstream has failed or was too slow, nobody
//! waits for it until it has answered: it is retried in the background, and clients that were left without its list are notified when
//! the list arrives.

mod contents;
mod entry;
mod fetch;
mod list;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossway_era::to_legacy::ClientFeatures;
use crossway_proto::Message;
use crossway_service::{Context, Link, Origin, Scope, Upstream};
use foldhash::HashMap;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::broadcast;

pub use list::ListKind;
pub(crate) use list::{Difference, Item};

use crate::limits::{CHANGES, VIEW_BYTES, VIEWS};
use crate::{Access, CallerSet};
use contents::Contents;
pub(crate) use entry::{Entry, Kept, Listed};
pub(crate) use fetch::{Failure, ends, has_resources};

/// The state of an upstream's cached lists.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListState {
    /// Not requested yet.
    Unknown,
    /// Up to date.
    Ready,
    /// The upstream fails; the last good lists are served. Contains the reason.
    Stale(String),
    /// The upstream fails and nothing is cached. Contains the reason.
    Failing(String),
}

/// The callers who see the same lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct View {
    callers: CallerSet,
    /// Tells apart calls that have lists of their own.
    one: Option<Origin>,
    asks: ClientFeatures,
}

impl View {
    /// The view of these callers with these client features; `None` if the callers are `Nobody`.
    pub(crate) fn new(callers: CallerSet, asks: &ClientFeatures) -> Option<Arc<Self>> {
        let one = (callers == CallerSet::ThisCall).then(Origin::unique);
        (callers != CallerSet::Nobody).then(|| Arc::new(Self { callers, one, asks: asks.clone() }))
    }

    /// Whether every caller sees the same.
    fn is_everybodys(&self) -> bool {
        self.callers == CallerSet::Everybody
    }

    /// Whether later calls can have the same view.
    pub(crate) fn is_lasting(&self) -> bool {
        self.callers != CallerSet::ThisCall
    }
}

/// A notice that lists may have changed.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// The upstreams or the rights have changed. It matters to clients that see something else than before.
    Sight,
    /// Any list of this upstream may have changed: changes were missed.
    Missed(Arc<str>),
    /// One list has changed.
    List(ListChange),
}

/// A notice that one list has changed.
#[derive(Debug, Clone)]
pub(crate) struct ListChange {
    pub(crate) kind: ListKind,
    /// The upstream, and the view that the list belongs to. Only clients with this view are notified.
    pub(crate) list: (Arc<str>, Arc<View>),
    /// The difference, where it is known.
    pub(crate) difference: Option<Arc<Difference>>,
}

/// The caller who requests cached data.
pub(crate) struct Asker<'a> {
    request: &'a Message,
    context: &'a Context,
    /// See [`Access::background_context`].
    lasting: Option<Context>,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(access: &dyn Access, request: &'a Message, context: &'a Context) -> Self {
        Self { request, context, lasting: access.background_context(context) }
    }
}

/// The lists of one modern upstream.
pub(crate) struct ListCache {
    pub(crate) name: Arc<str>,
    pub(crate) link: Link,
    /// Whether clients receive the upstream's instructions.
    pub(crate) has_instructions: bool,
    views: Mutex<HashMap<Arc<View>, Arc<Entry>>>,
    contents: Arc<Contents>,
    /// Whether it is known, for everybody, that the upstream has no resources. What is known for one user or tenant does not count.
    is_without_resources: Arc<AtomicBool>,
    pub(crate) changed: broadcast::Sender<Change>,
    /// The most views, and the most bytes of items.
    most: (usize, usize),
}

impl ListCache {
    pub(crate) fn new(name: &str, upstream: &dyn Upstream, has_instructions: bool) -> Arc<Self> {
        Self::bounded(name, upstream, has_instructions, (VIEWS, VIEW_BYTES))
    }

    fn bounded(
        name: &str,
        upstream: &dyn Upstream,
        has_instructions: bool,
        most: (usize, usize),
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            link: upstream.connect(Scope::Shared),
            has_instructions,
            views: Mutex::default(),
            contents: Arc::default(),
            is_without_resources: Arc::default(),
            changed: broadcast::Sender::new(CHANGES),
            most,
        })
    }

    /// Subscribes to changes of lists.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changed.subscribe()
    }

    /// Returns the entry of a view, for `asker`, who is one of its callers; creates it if there is none.
    pub(crate) fn entry(&self, view: &Arc<View>, asker: &Asker<'_>) -> Arc<Entry> {
        let mut views = self.views();
        if let Some(entry) = views.get(view).map(Arc::clone) {
            drop(views);
            if let Some(context) = &asker.lasting {
                entry.asked_by(context);
            }
            return entry;
        }
        let view = Arc::clone(view);
        let new = Entry::new(self, asker, Arc::clone(&view));
        if !view.is_lasting() {
            return new;
        }
        let forgotten = if views.len() >= self.most.0 || self.contents.bytes() > self.most.1 {
            forget_oldest(&mut views)
        } else {
            Vec::new()
        };
        views.insert(view, Arc::clone(&new));
        drop(views);
        drop(forgotten);
        new
    }

    /// Returns the entry of a view, if one of its callers has requested something.
    pub(crate) fn known(&self, view: &Arc<View>) -> Option<Arc<Entry>> {
        self.views().get(view).cloned()
    }

    /// Whether it is known that the upstream has no resources, for everybody alike.
    pub(crate) fn is_without_resources(&self) -> bool {
        self.is_without_resources.load(Ordering::Acquire)
    }

    /// The upstream's state: the worst of all views.
    pub(crate) fn state(&self) -> ListState {
        let views = self.views();
        let mut worst = ListState::Unknown;
        for entry in views.values() {
            worst = match (entry.state(), worst) {
                (ListState::Failing(why), _) => ListState::Failing(why),
                (ListState::Stale(why), ListState::Unknown | ListState::Ready) => ListState::Stale(why),
                (ListState::Ready, ListState::Unknown) => ListState::Ready,
                (_, worst) => worst,
            };
        }
        worst
    }

    /// Fetches all cached lists again: the upstream has come back, or has been replaced.
    pub(crate) fn refresh(&self) {
        for entry in self.views().values() {
            entry.refresh_all();
        }
    }

    fn views(&self) -> MutexGuard<'_, HashMap<Arc<View>, Arc<Entry>>> {
        self.views.lock()
    }
}

/// Removes the least recently used quarter of the views, so that this happens seldom.
fn forget_oldest(views: &mut HashMap<Arc<View>, Arc<Entry>>) -> Vec<Arc<Entry>> {
    let mut by_use: Vec<_> =
        views.iter().map(|(view, entry)| (entry.last_used(), Arc::clone(view))).collect();
    by_use.sort_unstable_by_key(|(used, _)| *used);
    by_use.truncate(views.len().div_ceil(4));
    by_use.iter().filter_map(|(_, view)| views.remove(view)).collect()
}

impl fmt::Debug for ListCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListCache({:?})", self.name)
    }
}

//! Caches an upstream's lists and its `server/discover` result.
//!
//! A list is fetched when it is first asked for, over all its pages, and kept. From then on it is answered at once; it is
//! fetched again in the background when the upstream says that it has changed, and when it has expired (`ttlMs`) and is
//! asked for. So is one of a user or a tenant for whose changes nobody has listened meanwhile; one of everybody's is forgotten
//! then. An upstream that fails keeps its last good lists, marked [stale](ListState::Stale).
//!
//! What is known is kept apart by what the client can be asked (a legacy server's lists may depend on it), and, unless the
//! upstream is the same for everybody, by [`ScopeKey`](crate::ScopeKey): "`private` [...] Caches **MUST NOT** be shared
//! across authorization contexts" (2026-07-28, server/utilities/caching). That a list has changed is told to those who see
//! that list, and to nobody else.
//!
//! Whoever asks first waits until an upstream has answered, for a few seconds at most. An upstream that has failed once, or
//! was too slow, is waited for by nobody until it has told its list: that is tried in the background, and those who were
//! left without are told when it is there.

mod contents;
mod entry;
mod fetch;
mod list;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossway_era::to_legacy::ClientFeatures;
use crossway_proto::Message;
use crossway_service::{Context, Link, Origin, Scope, Upstream};
use foldhash::HashMap;
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

/// Who sees the same lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct View {
    callers: CallerSet,
    /// Tells calls apart that have lists of their own.
    one: Option<Origin>,
    asks: ClientFeatures,
}

impl View {
    /// The view of those whose lists these are, and who can be asked this. None is nobody's.
    pub(crate) fn new(callers: CallerSet, asks: &ClientFeatures) -> Option<Arc<Self>> {
        let one = (callers == CallerSet::ThisCall).then(Origin::unique);
        (callers != CallerSet::Nobody).then(|| Arc::new(Self { callers, one, asks: asks.clone() }))
    }

    /// Whether strangers see the same.
    fn is_everybodys(&self) -> bool {
        self.callers == CallerSet::Everybody
    }

    /// Whether others come after this call who see the same.
    pub(crate) fn is_lasting(&self) -> bool {
        self.callers != CallerSet::ThisCall
    }
}

/// Word that lists may be others than before.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// There are other upstreams, or other rights. It matters to those who see others than before.
    Sight,
    /// Any list of this upstream's may be another: what has changed was missed.
    Missed(Arc<str>),
    /// A list is another.
    List(ListChange),
}

/// Word that a list is another than before.
#[derive(Debug, Clone)]
pub(crate) struct ListChange {
    pub(crate) kind: ListKind,
    /// Whose list it is, and the upstream that has it. Nobody else hears of it.
    pub(crate) list: (Arc<str>, Arc<View>),
    /// What is different, where it is known.
    pub(crate) difference: Option<Arc<Difference>>,
}

/// Who asks what is known.
pub(crate) struct Asker<'a> {
    request: &'a Message,
    context: &'a Context,
    /// See [`Access::lasting`].
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
    /// Whether clients are told its instructions.
    pub(crate) has_instructions: bool,
    views: Mutex<HashMap<Arc<View>, Arc<Entry>>>,
    contents: Arc<Contents>,
    /// Whether everybody was told that it has no resources. What users or tenants are told of their own is nobody else's.
    is_without_resources: Arc<AtomicBool>,
    pub(crate) changed: broadcast::Sender<Change>,
    /// How many views there may be, and how many bytes of items.
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

    /// Tells when a list changes, and for whom.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changed.subscribe()
    }

    /// What is known for those of a view, for one of them, who asks now.
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

    /// What is known for those of a view, if any of them has asked.
    pub(crate) fn known(&self, view: &Arc<View>) -> Option<Arc<Entry>> {
        self.views().get(view).cloned()
    }

    /// Whether it is known of an upstream that is the same for everybody that it has no resources.
    pub(crate) fn is_without_resources(&self) -> bool {
        self.is_without_resources.load(Ordering::Acquire)
    }

    /// How it stands with the upstream, for any of those who asked.
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

    /// Fetches anew what is known: the upstream has come back, or has been replaced.
    pub(crate) fn refresh(&self) {
        for entry in self.views().values() {
            entry.refresh_all();
        }
    }

    fn views(&self) -> MutexGuard<'_, HashMap<Arc<View>, Arc<Entry>>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes out the quarter of the views that was not asked for the longest: so it is seldom done.
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

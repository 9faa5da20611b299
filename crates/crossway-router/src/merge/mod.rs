//! Merges many upstreams into one.
//!
//! | request | goes to |
//! |---|---|
//! | `server/discover` | none: it is answered at once, with the same capabilities whatever upstreams there are |
//! | lists | none, once they are cached: all upstreams' lists, one after the other, with [exposed names](Naming) |
//! | `tools/call`, `prompts/get` | the upstream that the name shows, with the name that it has there |
//! | `resources/read` | the upstream that lists the URI, or whose template matches it |
//! | `completion/complete` | the upstream of the prompt or resource in `ref` |
//! | `subscriptions/listen` | none for changes of lists, which the caches report; the upstreams of the resources |
//!
//! URIs stay unchanged, except where two upstreams have the same URI, or templates that can match the same URI: the later upstream's
//! becomes `crossway://upstream/` plus the URI itself. So does a URI that a tool or prompt links to or embeds, if it would lead to
//! another upstream than the one that gave it, or to none. Messages change only for names and such URIs: in `params.name`, `params.uri`
//! and `params.ref` of requests, and in `uri` of the resources in results of `tools/call` and `prompts/get`, in contents that were
//! read, and in `notifications/resources/updated`. Nothing else is changed, and arguments and other results are not looked at.
//!
//! A client gets the instructions of the upstreams that have listed an item for it, or for another client with the same rights, each
//! under a heading with its upstream's name. Together they are at most
//! [`limits::MERGED_INSTRUCTIONS`](crate::limits::MERGED_INSTRUCTIONS) long.
//!
//! A failing upstream is missing from the lists unless they are cached; when it comes back, its items return and clients are
//! notified. It delays a request by a few seconds at most, once.

mod connection;
mod discover;
mod introductions;
mod links;
mod listening;
mod lists;
mod naming;
mod pages;
mod ready;
mod resources;
mod splice;
mod templates;

use std::fmt;
use std::sync::Arc;

use crossway_service::{Link, Scope, Upstream};
use foldhash::{HashMap, HashSet};
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;

use connection::RouterConnection;
pub use lists::Clash;
pub use naming::{Naming, Prefixed, Unprefixed};

use crate::access::{Access, AllowAll, ByScopeKey};
use crate::limits::CHANGES;
use crate::list_cache::{Change, ListCache, ListKind, ListState};

/// Many modern upstreams as one; they may change while it serves. Clones share the upstreams.
#[derive(Clone)]
pub struct Router(Arc<Shared>);

struct Shared {
    naming: Box<dyn Naming>,
    options: RouterOptions,
    members: RwLock<Arc<Members>>,
    ready: Mutex<ready::Ready>,
    introductions: Mutex<introductions::Introductions>,
    changed: broadcast::Sender<Change>,
}

/// The behaviour of a router.
#[derive(Clone)]
#[non_exhaustive]
pub struct RouterOptions {
    /// The name in the router's server info.
    pub name: String,
    /// Decides who may see and call what, and which callers share lists.
    pub access: Arc<dyn Access>,
    /// Whether the router has one upstream, and introduces itself as that one.
    pub is_alone: bool,
    /// Whether that upstream's instructions are passed on.
    pub has_instructions: bool,
}

impl Default for RouterOptions {
    /// All callers may see and call everything, and lists are kept for each [`ScopeKey`](crate::ScopeKey).
    fn default() -> Self {
        Self {
            name: "crossway".to_owned(),
            access: Arc::new(ByScopeKey),
            is_alone: false,
            has_instructions: true,
        }
    }
}

impl RouterOptions {
    /// Assumes that all clients see the same of each upstream, so that one list serves all of them.
    #[must_use]
    pub fn same_for_all(self) -> Self {
        self.access(AllowAll)
    }

    /// Introduces the router as its only upstream.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// The router's server info.
    fn info(&self) -> serde_json::Value {
        serde_json::json!({ "name": self.name, "version": env!("CARGO_PKG_VERSION") })
    }

    /// Does not pass on the instructions of the only upstream.
    #[must_use]
    pub fn without_instructions(mut self) -> Self {
        self.has_instructions = false;
        self
    }

    /// Sets who may see and call what.
    #[must_use]
    pub fn access(mut self, access: impl Access) -> Self {
        self.access = Arc::new(access);
        self
    }
}

impl fmt::Debug for RouterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterOptions").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The upstreams at one moment, in order.
#[derive(Default)]
struct Members {
    all: Vec<Arc<ListCache>>,
    by_name: HashMap<Arc<str>, Arc<ListCache>>,
    /// Increases with each change of the upstreams.
    generation: u64,
    /// The clashes of names that operators were told of.
    clashing: Mutex<Clashing>,
}

type Clashing = HashSet<(ListKind, String, String)>;

impl Router {
    /// Creates a router without upstreams, with names as in [`Prefixed`].
    #[must_use]
    pub fn new(options: RouterOptions) -> Self {
        Self::with_naming(options, Prefixed::default())
    }

    /// Creates a router without upstreams, with other names.
    #[must_use]
    pub fn with_naming(options: RouterOptions, naming: impl Naming) -> Self {
        Self(Arc::new(Shared {
            naming: Box::new(naming),
            options,
            members: RwLock::default(),
            ready: Mutex::default(),
            introductions: Mutex::default(),
            changed: broadcast::Sender::new(CHANGES),
        }))
    }

    /// Adds an upstream at the end, or replaces the one of the same name. Calls in flight continue on the old
    /// one.
    ///
    /// It gets modern requests. A legacy server has to be wrapped in [`ToLegacy`](crate::ToLegacy) (or
    /// [`AnyEra`](crate::AnyEra)); otherwise its lists are left out, and calls to it are refused.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn insert(&self, name: &str, upstream: &dyn Upstream) {
        self.put(ListCache::new(name, upstream, true));
    }

    /// Like [`insert`](Self::insert), for an upstream whose instructions clients do not get.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn insert_without_instructions(&self, name: &str, upstream: &dyn Upstream) {
        self.put(ListCache::new(name, upstream, false));
    }

    fn put(&self, known: Arc<ListCache>) {
        self.follow(&known);
        self.change(|members| match members.iter_mut().find(|member| member.name == known.name) {
            Some(member) => *member = Arc::clone(&known),
            None => members.push(Arc::clone(&known)),
        });
    }

    /// Removes an upstream; `false` if there is none of this name. Calls in flight continue.
    pub fn remove(&self, name: &str) -> bool {
        let is_there = self.members().by_name.contains_key(name);
        if is_there {
            self.change(|members| members.retain(|member| *member.name != *name));
        }
        is_there
    }

    /// Puts the upstreams into this order; unnamed ones keep their order, behind the others.
    pub fn arrange(&self, names: &[&str]) {
        self.change(|members| {
            members.sort_by_key(|member| {
                names.iter().position(|name| **name == *member.name).unwrap_or(usize::MAX)
            });
        });
    }

    /// Fetches an upstream's lists again, as far as they have been requested: call it when the upstream is back. Clients are notified
    /// if the lists have changed.
    pub fn refresh(&self, name: &str) {
        if let Some(member) = self.members().by_name.get(name) {
            member.refresh();
        }
    }

    /// The state of each upstream's lists, in order.
    #[must_use]
    pub fn states(&self) -> Vec<(String, ListState)> {
        self.members().all.iter().map(|member| (member.name.to_string(), member.state())).collect()
    }

    /// Call after access rights change: subscribed clients get `list_changed` for each list whose visible content changed.
    pub fn announce(&self) {
        self.tell(Change::Sight);
    }

    fn access(&self) -> &dyn Access {
        &*self.0.options.access
    }

    fn members(&self) -> Arc<Members> {
        Arc::clone(&self.0.members.read())
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<ListCache>>)) {
        {
            let mut members = self.0.members.write();
            let mut all = members.all.clone();
            change(&mut all);
            let is_same = all.len() == members.all.len()
                && all.iter().zip(&members.all).all(|(one, other)| Arc::ptr_eq(one, other));
            if is_same {
                return;
            }
            let by_name = all.iter().map(|member| (Arc::clone(&member.name), Arc::clone(member))).collect();
            let (generation, clashing) = (members.generation + 1, Mutex::default());
            *members = Arc::new(Members { all, by_name, generation, clashing });
        }
        self.tell(Change::Sight);
    }

    fn tell(&self, change: Change) {
        // Nobody may listen.
        let _ = self.0.changed.send(change);
    }

    /// Forwards an upstream's changes to listeners, as long as the upstream is there.
    fn follow(&self, known: &Arc<ListCache>) {
        let (mut changes, changed) = (known.changes(), self.0.changed.clone());
        let name = Arc::clone(&known.name);
        tokio::spawn(async move {
            loop {
                let change = match changes.recv().await {
                    Ok(change) => change,
                    Err(broadcast::error::RecvError::Lagged(_)) => Change::Missed(Arc::clone(&name)),
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                // Nobody may listen.
                let _ = changed.send(change);
            }
        });
    }
}

impl Upstream for Router {
    fn connect(&self, _: Scope) -> Link {
        Link::new(RouterConnection::new(self.clone()))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.members().all).finish()
    }
}

#[cfg(test)]
mod tests;

//! Merges many upstreams into one.
//!
//! | request | goes to |
//! |---|---|
//! | `server/discover` | nobody: it is answered at once, with the same capabilities whatever upstreams there are |
//! | lists | nobody, once they are known: all upstreams' lists, one after the other, under [names](Naming) of our own |
//! | `tools/call`, `prompts/get` | the upstream that the name says, under the name that it has there |
//! | `resources/read` | the upstream that has listed the URI, or whose template it fits |
//! | `completion/complete` | the upstream of the prompt or resource that it is about |
//! | `subscriptions/listen` | changes of lists are told from what is known; resources are listened for at their upstreams |
//!
//! URIs stay as they are. Where two upstreams have the same one, or templates that can fit the same one, the later upstream's is
//! `crossway://upstream/` and the URI itself. So is one that a tool or a prompt links to, or embeds, if it would lead to another upstream
//! than the one that has given it, or to none. What names and URIs force on messages: `params.name`, `params.uri` and `params.ref` of
//! requests; `uri` of the resources in results of `tools/call` and `prompts/get`, in the contents that were read, and in
//! `notifications/resources/updated`, all only where the URI is such a one. Nothing else is changed, and arguments and other results are not
//! looked at.
//!
//! A client gets the instructions of those upstreams that have listed something for it, or for another client with the same
//! rights. Each has its upstream's name as a heading. Together they are at most
//! [`limits::MERGED_INSTRUCTIONS`](crate::limits::MERGED_INSTRUCTIONS) long.
//!
//! An upstream that fails is missing from lists of which nothing is known, and is there again, and told of, when it comes
//! back. It holds nobody up for more than a few seconds, once.

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
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crossway_service::{Link, Scope, Upstream};
use foldhash::{HashMap, HashSet};
use tokio::sync::broadcast;

pub use lists::Clash;
pub use naming::{Naming, Prefixed, Unprefixed};

use crate::access::{Access, AllowAll, ByScopeKey};
use crate::limits::CHANGES;
use crate::list_cache::{Change, ListCache, ListKind, ListState};

/// Many modern upstreams as one, changed while it serves. Clones share the upstreams.
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

/// How a router behaves.
#[derive(Clone)]
#[non_exhaustive]
pub struct RouterOptions {
    /// The name by which it introduces itself.
    pub name: String,
    /// Who may see and call what, and who sees the same.
    pub access: Arc<dyn Access>,
    /// Whether it has one upstream, and introduces itself as that one.
    pub is_alone: bool,
    /// Whether that upstream's instructions are handed on.
    pub has_instructions: bool,
}

impl Default for RouterOptions {
    /// All may see and call everything, and lists are kept for each [`ScopeKey`](crate::ScopeKey).
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
    /// All clients see the same of each upstream, so that one list serves all of them.
    #[must_use]
    pub fn same_for_all(self) -> Self {
        self.access(AllowAll)
    }

    /// Has one upstream, and introduces itself as that one.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// What a router says that it is.
    fn info(&self) -> serde_json::Value {
        serde_json::json!({ "name": self.name, "version": env!("CARGO_PKG_VERSION") })
    }

    /// Hands no instructions of its only upstream's on.
    #[must_use]
    pub fn without_instructions(mut self) -> Self {
        self.has_instructions = false;
        self
    }

    /// Asks who may see and call what.
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
    /// Goes on with each change of the upstreams.
    generation: u64,
    /// Of which of them operators were told that they have the same names.
    clashing: Mutex<Clashing>,
}

type Clashing = HashSet<(ListKind, String, String)>;

impl Router {
    /// A router without upstreams, which names things as [`Prefixed`] does.
    #[must_use]
    pub fn new(options: RouterOptions) -> Self {
        Self::with_naming(options, Prefixed::default())
    }

    /// A router without upstreams, with its own way to name things.
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

    /// Adds an upstream, behind those that are there; one of the same name is replaced in its place. Calls in flight go on
    /// where they are.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn insert(&self, name: &str, upstream: &dyn Upstream) {
        self.put(ListCache::new(name, upstream, true));
    }

    /// The same of an upstream whose instructions clients are not told.
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

    /// Takes an upstream away. Calls in flight go on. False if there is none of this name.
    pub fn remove(&self, name: &str) -> bool {
        let is_there = self.members().by_name.contains_key(name);
        if is_there {
            self.change(|members| members.retain(|member| *member.name != *name));
        }
        is_there
    }

    /// Puts the upstreams into this order; those that are not named keep theirs, behind the others.
    pub fn arrange(&self, names: &[&str]) {
        self.change(|members| {
            members.sort_by_key(|member| {
                names.iter().position(|name| **name == *member.name).unwrap_or(usize::MAX)
            });
        });
    }

    /// Fetches an upstream's lists anew, as far as anybody has asked for them: it has come back. Clients are told if they
    /// are others than before.
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
        Arc::clone(&self.0.members.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<ListCache>>)) {
        {
            let mut members = self.0.members.write().unwrap_or_else(PoisonError::into_inner);
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

    /// Passes an upstream's changes on to those who listen, as long as it is there.
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
        Link::new(connection::Connection::new(self.clone()))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.members().all).finish()
    }
}

#[cfg(test)]
mod tests;

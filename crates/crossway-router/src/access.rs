//! The access policy that a [`Router`](crate::Router) asks: who may see and call what.

use crossway_proto::Message;
use crossway_service::Context;

use crate::{ListKind, ScopeKey};

/// Decides who may see and call what, and who sees the same.
///
/// A router asks for each item that it lists and for each call that names one, and takes nothing as granted that was once
/// answered: what has been answered before holds for a list only as long as [`rights`](Self::rights) stay the same. All
/// answers are wanted at once, from memory.
///
/// What is not allowed is answered as what does not exist.
pub trait Access: Send + Sync + 'static {
    /// Whose rights are the same as this caller's. Lists are filtered once for all of them.
    fn rights_group(&self, context: &Context) -> CallerSet;

    /// Which callers share introductions (instructions, server info). One of them may notice by what it is told that another has
    /// asked before.
    ///
    /// The answer must stay the same for a caller, and not depend on other callers. To share nothing, answer with the caller
    /// alone.
    fn instructions_group(&self, context: &Context) -> CallerSet {
        self.rights_group(context)
    }

    /// Who is told the same lists by an upstream. An upstream of [`CallerSet::Nobody`] is not there for this caller.
    fn list_group(&self, upstream: &str, context: &Context) -> CallerSet;

    /// Whether the caller may see an item of a list, or hear of a resource that no list may have: then what is asked about has no
    /// [item](AccessTarget::item), and the answer has to be that of [`admits`](Self::admits) for who would read it.
    fn can_see(&self, thing: &AccessTarget<'_>, context: &Context) -> bool {
        let _ = (thing, context);
        true
    }

    /// The same for many items of one upstream, one after the other: what is the same for all of them can be found out once.
    fn item_filter<'a>(&'a self, upstream: &'a str, context: &'a Context) -> ItemFilter<'a> {
        let _ = upstream;
        Box::new(move |thing| self.can_see(thing, context))
    }

    /// What the names, or URIs, of all things of a list begin with that the caller [may see](Self::shows) of an upstream, as the upstream has them; others
    /// are not asked about. None: they may begin with anything.
    fn name_prefixes(&self, upstream: &str, kind: ListKind, context: &Context) -> Option<Vec<String>> {
        let _ = (upstream, kind, context);
        None
    }

    /// Whether the caller may make a request about something. May leave in the call's context what upstreams want to see.
    fn authorize(&self, thing: &AccessTarget<'_>, request: &Message, context: &mut Context) -> bool {
        let _ = (thing, request, context);
        true
    }

    /// Told of a request about something that nobody has for this caller, so that there is nothing to decide.
    fn unknown_target(&self, context: &Context) {
        let _ = context;
    }

    /// The context of requests that are made later for all who see the same lists as this caller: who it is, and nothing that is of its one
    /// request (a trace, a record, a permit). None: the context of the first of them stays.
    fn background_context(&self, context: &Context) -> Option<Context> {
        let _ = context;
        None
    }

    /// Whether callers may hear the names of all upstreams.
    fn reveals_upstream_names(&self) -> bool {
        false
    }

    /// Whether [`admits`](Self::admits) looks at the [item](AccessTarget::item) of what is called.
    fn needs_item(&self, context: &Context) -> bool {
        let _ = context;
        false
    }
}

/// Says whether a caller may see an item.
pub type ItemFilter<'a> = Box<dyn Fn(&AccessTarget<'_>) -> bool + 'a>;

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallerSet {
    /// Everybody's.
    Everybody,
    /// That of those who have one key.
    Key(ScopeKey),
    /// That of one call alone: nothing is kept.
    ThisCall,
    /// Nobody's.
    Nobody,
}

/// What is listed or asked for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AccessTarget<'a> {
    /// The upstream that has it.
    pub upstream: &'a str,
    /// The list in which it is, or would be. What is read by a URI is of [`ListKind::Resources`].
    pub kind: ListKind,
    /// Its name, URI or URI template there.
    pub name: &'a str,
    /// The item of the list as the upstream has it, JSON text, where it is known.
    pub item: Option<&'a [u8]>,
    /// Whether the list could not be had, so that nobody knows whether the item is in it.
    pub is_list_unavailable: bool,
}

/// All may see and call everything, and all see the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Access for AllowAll {
    fn rights_group(&self, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn reveals_upstream_names(&self) -> bool {
        true
    }
}

/// All may see and call everything, but lists are kept apart for each [`ScopeKey`], and not kept for clients without one.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByScopeKey;

impl Access for ByScopeKey {
    fn rights_group(&self, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn list_group(&self, _: &str, context: &Context) -> CallerSet {
        context.extensions.get::<ScopeKey>().map_or(CallerSet::ThisCall, |key| CallerSet::Key(key.clone()))
    }
}

//! The access policy that a [`Router`](crate::Router) asks: who may see and call what.

use crossway_proto::Message;
use crossway_service::Context;

use crate::{ListKind, ScopeKey};

/// Decides who may see and call what, and who sees the same.
///
/// A router asks for each item that it lists and for each call that names one. It reuses earlier answers only
/// for lists, and only as long as [`rights_group`](Self::rights_group) stays the same. All answers have to be
/// given at once, from memory.
///
/// Listing and calling are separate: [`can_see`](Self::can_see) decides what is in a list,
/// [`authorize`](Self::authorize) what may be called. By default, a caller who may not see something may not
/// call it either.
///
/// A request for something that is not allowed is answered as if it did not exist.
pub trait Access: Send + Sync + 'static {
    /// The callers with the same rights as this one. A filtered list is cached once per set.
    fn rights_group(&self, context: &Context) -> CallerSet;

    /// The callers that share cached instructions and server info. Members may infer from the cache that another member has asked before.
    ///
    /// The result must not change for a caller or depend on others; to share nothing, return a set that contains this caller alone.
    fn instructions_group(&self, context: &Context) -> CallerSet {
        self.rights_group(context)
    }

    /// The callers to whom this upstream shows the same lists. [`CallerSet::Nobody`] hides the upstream from this caller.
    fn list_group(&self, upstream: &str, context: &Context) -> CallerSet;

    /// Whether the caller sees at least two of these upstreams, which are all of the router's. The answer
    /// must depend only on the caller.
    fn sees_several(&self, upstreams: &mut dyn Iterator<Item = &str>, context: &Context) -> bool {
        upstreams.filter(|upstream| self.list_group(upstream, context) != CallerSet::Nobody).nth(1).is_some()
    }

    /// Whether the caller may see an item of a list, or be notified of a resource that may be in no list. In
    /// the latter case the target has no [item](AccessTarget::item), and the answer has to be that of
    /// [`authorize`](Self::authorize) for a caller who reads it.
    fn can_see(&self, thing: &AccessTarget<'_>, context: &Context) -> bool {
        let _ = (thing, context);
        true
    }

    /// The same for many items of one upstream. Facts that are the same for all of them can be determined
    /// once.
    fn item_filter<'a>(&'a self, upstream: &'a str, context: &'a Context) -> ItemFilter<'a> {
        let _ = upstream;
        Box::new(move |thing| self.can_see(thing, context))
    }

    /// Prefixes of all names or URIs that the caller [may see](Self::can_see) in this list, as the upstream spells them; other items are
    /// skipped without asking. `None`: no restriction is known.
    fn name_prefixes(&self, upstream: &str, kind: ListKind, context: &Context) -> Option<Vec<String>> {
        let _ = (upstream, kind, context);
        None
    }

    /// Whether the caller may make a request about something. By default, whether the caller [may
    /// see](Self::can_see) it; its [item](AccessTarget::item) is known only if
    /// [`needs_item`](Self::needs_item) says so. The implementation may add values for upstreams to the
    /// call's context.
    fn authorize(&self, thing: &AccessTarget<'_>, request: &Message, context: &mut Context) -> bool {
        let _ = request;
        self.can_see(thing, context)
    }

    /// Called when a request names something that no upstream has for this caller, for auditing.
    fn unknown_target(&self, context: &Context) {
        let _ = context;
    }

    /// The context for background requests on behalf of all callers who see the same lists: the identity, without per-request data such
    /// as traces or permits. `None`: the first caller's context is used.
    fn background_context(&self, context: &Context) -> Option<Context> {
        let _ = context;
        None
    }

    /// Whether callers may be told the names of all upstreams.
    fn reveals_upstream_names(&self) -> bool {
        false
    }

    /// Whether [`authorize`](Self::authorize) needs the [item](AccessTarget::item) that is called, for calls
    /// of this kind to this upstream.
    fn needs_item(&self, upstream: &str, kind: ListKind, context: &Context) -> bool {
        let _ = (upstream, kind, context);
        false
    }
}

/// Decides whether a caller may see an item.
pub type ItemFilter<'a> = Box<dyn Fn(&AccessTarget<'_>) -> bool + 'a>;

/// A set of callers that share a cache entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallerSet {
    /// All callers.
    Everybody,
    /// The callers with this key.
    Key(ScopeKey),
    /// This call alone: nothing is cached.
    ThisCall,
    /// No caller.
    Nobody,
}

/// A tool, prompt, resource or template that is listed or requested.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AccessTarget<'a> {
    /// The upstream that has it.
    pub upstream: &'a str,
    /// The list that has it, or would have it. For a URI that is read, [`ListKind::Resources`].
    pub kind: ListKind,
    /// Its name, URI or URI template there.
    pub name: &'a str,
    /// The item of the upstream's list, as JSON text, if it is known.
    pub item: Option<&'a [u8]>,
    /// Whether the list is unavailable, so that it is unknown whether it has the item.
    pub is_list_unavailable: bool,
}

/// Everybody may see and call everything, and all see the same.
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

/// Everybody may see and call everything, but lists are cached separately for each [`ScopeKey`], and not at
/// all for clients without one.
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

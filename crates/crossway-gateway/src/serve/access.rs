//! Answers the router's questions from the policy (`Access`).

use std::borrow::Cow;
use std::sync::Arc;

use crossway_layers::audit::{AuditNote, Decision};
use crossway_layers::authorize::arguments;
use crossway_openapi::face::Unlisted;
use crossway_policy::{Hints, Item, Kind, Permit};
use crossway_proto::Message;
use crossway_router::{Access, AccessTarget, CallerSet, ItemFilter, ListKind, ScopeKey};
use crossway_service::Context;
use serde::Deserialize;

use super::actor::Actor;
use super::current_policy::{CurrentPolicy, PolicySnapshot};
use crate::config::file::ScopeFile;
use crate::metrics::Metrics;

/// The upstream does not list the name. That denies it where other names of the upstream are denied, disabled or counted, and where the
/// OpenAPI document has to list what is called.
const UNLISTED: &str = "it is not listed";

/// No upstream has the name for this caller.
const NOBODYS: &str = "no upstream has it";

/// The arguments are there twice, so the upstream might act by others than those that were judged.
const AMBIGUOUS: &str = "its arguments can be read in two ways";

/// The caller belongs to no tenant any more.
const NO_TENANT: &str = "no tenant's rule matches";

/// Lets callers see and call what the policy in force grants them.
pub(crate) struct PolicyAccess {
    current: CurrentPolicy,
    /// Whether the router knows upstreams by the prefixes of their tools, rather than by name.
    is_by_prefix: bool,
    metrics: Metrics,
}

impl PolicyAccess {
    /// For a router that knows upstreams by name.
    pub(crate) fn by_name(current: CurrentPolicy, metrics: Metrics) -> Self {
        Self { current, is_by_prefix: false, metrics }
    }

    /// For a router that knows upstreams by the prefixes of their tools.
    pub(crate) fn by_prefix(current: CurrentPolicy, metrics: Metrics) -> Self {
        Self { current, is_by_prefix: true, metrics }
    }

    /// The policy's name of an upstream.
    fn name<'a>(&self, snapshot: &'a PolicySnapshot, known_as: &'a str) -> &'a str {
        if self.is_by_prefix { snapshot.name_of(known_as) } else { known_as }
    }

    /// Whether the upstream has tools that are disabled by name, or counted by name for this caller.
    fn names_tools(&self, snapshot: &PolicySnapshot, actor: &Actor, known_as: &str) -> bool {
        // Few configs do so. With the others, the name need not be looked up.
        if snapshot.disabled_tools.is_empty() && !snapshot.actors.policy().has_quotas_of_tools() {
            return false;
        }
        let upstream = self.name(snapshot, known_as);
        snapshot.disabled_tools.contains_key(upstream) || actor.rights().counts_tools(upstream)
    }

    /// The caller's rights under the policy in force, which also holds for streams that were opened under an older one.
    fn actor<'a>(snapshot: &PolicySnapshot, context: &'a Context) -> Option<Cow<'a, Actor>> {
        let actor = context.extensions.get::<Actor>()?;
        if actor.generation() == snapshot.actors.generation() {
            return Some(Cow::Borrowed(actor));
        }
        snapshot.actors.of(actor.rights().principal(), actor.endpoint()).ok().map(Cow::Owned)
    }
}

impl Access for PolicyAccess {
    fn rights_group(&self, context: &Context) -> CallerSet {
        Self::actor(&self.current.get(), context)
            .map_or(CallerSet::Nobody, |actor| CallerSet::Key(actor.view().clone()))
    }

    /// The key of the user, not of the view: several users may share a view, and a reload may give a user another view even if only the
    /// rules of other tenants have changed.
    fn instructions_group(&self, context: &Context) -> CallerSet {
        Self::actor(&self.current.get(), context)
            .map_or(CallerSet::Nobody, |actor| CallerSet::Key(actor.user().clone()))
    }

    fn list_group(&self, upstream: &str, context: &Context) -> CallerSet {
        let snapshot = self.current.get();
        let upstream = self.name(&snapshot, upstream);
        let Some(actor) = Self::actor(&snapshot, context) else { return CallerSet::Nobody };
        match snapshot.scopes.get(upstream) {
            Some(scope) if actor.rights().reaches(upstream) => caller_set(*scope, &actor),
            _ => CallerSet::Nobody,
        }
    }

    fn sees_several(&self, _: &mut dyn Iterator<Item = &str>, context: &Context) -> bool {
        let snapshot = self.current.get();
        Self::actor(&snapshot, context).is_some_and(|actor| actor.sees_several(snapshot.scopes.keys()))
    }

    fn can_see(&self, thing: &AccessTarget<'_>, context: &Context) -> bool {
        let snapshot = self.current.get();
        let item = item(self.name(&snapshot, thing.upstream), thing, snapshot.looks_at_hints);
        let Some(actor) = Self::actor(&snapshot, context) else { return false };
        match thing.item {
            Some(_) => actor.rights().lists(&item),
            // What is in no list is judged as a call is.
            None => actor.rights().decide(&item, None).is_ok(),
        }
    }

    fn item_filter<'a>(&'a self, upstream: &'a str, context: &'a Context) -> ItemFilter<'a> {
        let snapshot = self.current.get();
        let Some(actor) = Self::actor(&snapshot, context) else { return Box::new(|_| false) };
        let (upstream, looks_at_hints) = (self.name(&snapshot, upstream).to_owned(), snapshot.looks_at_hints);
        let lists = actor.rights().lists_of(&upstream);
        Box::new(move |thing| lists(&item(&upstream, thing, looks_at_hints)))
    }

    fn name_prefixes(&self, upstream: &str, kind: ListKind, context: &Context) -> Option<Vec<String>> {
        let snapshot = self.current.get();
        let actor = Self::actor(&snapshot, context)?;
        let beginnings = actor.rights().beginnings(self.name(&snapshot, upstream), kind_of(kind));
        // An empty prefix matches all names, so the others don't restrict anything.
        beginnings.map(|text| (!text.is_empty()).then(|| text.to_owned())).collect()
    }

    fn authorize(&self, thing: &AccessTarget<'_>, request: &Message, context: &mut Context) -> bool {
        let snapshot = self.current.get();
        let upstream = self.name(&snapshot, thing.upstream);
        let note = context.extensions.get::<AuditNote>().cloned();
        let denied = |actor: Option<&Actor>, rule: &str, word: &'static str| {
            note.as_ref().inspect(|note| match request.is_method("subscriptions/listen") {
                true => note.part(thing.name, upstream, Decision::Denied, rule),
                false => {
                    note.went_to(upstream, Some(thing.name));
                    note.decided(Decision::Denied, Some(rule));
                }
            });
            tracing::debug!(upstream, reason = rule, "a call is denied");
            if let Some(actor) = actor {
                self.metrics.denied(actor.rights().tenant().as_str(), word);
            }
            false
        };
        let Some(actor) = Self::actor(&snapshot, context) else {
            return denied(context.extensions.get(), NO_TENANT, "no_tenant");
        };
        let Ok(arguments) = arguments(request) else {
            return denied(Some(&actor), AMBIGUOUS, "ambiguous_arguments");
        };
        let arguments = arguments.and_then(|json| std::str::from_utf8(json).ok());
        let wanted = item(upstream, thing, snapshot.looks_at_hints);
        let decided = actor.rights().decide(&wanted, arguments);
        // A name that is not listed may be another spelling of one that is denied, disabled or counted, if the upstream ignores the
        // difference.
        let is_named = matches!(thing.kind, ListKind::Tools | ListKind::Prompts);
        let is_unlisted = context.extensions.get::<Unlisted>().is_some()
            || is_named
                && thing.item.is_none()
                && (actor.rights().denies_some(upstream, wanted.kind)
                    || wanted.kind == Kind::Tool && self.names_tools(&snapshot, &actor, thing.upstream));
        // A call that the missing list might allow is not denied. It fails because the list is missing.
        let may_be_allowed = || {
            let best = wanted.with_hints(Hints { read_only: Some(true) });
            actor.rights().decide(&best, arguments).is_ok()
        };
        if thing.is_list_unavailable && (is_unlisted || decided.is_err()) && may_be_allowed() {
            note.as_ref().inspect(|note| {
                note.went_to(upstream, Some(thing.name));
                note.not_sent();
                note.failed_because(
                    "what its server lists is not known: the log, or the caller's credential, says why",
                );
            });
            return false;
        }
        match decided {
            Ok(_) if is_unlisted => denied(Some(&actor), UNLISTED, "not_listed"),
            Err(why) => denied(Some(&actor), &why.reason().to_string(), why.reason().word()),
            Ok(permit) => {
                note.inspect(|note| {
                    let rule = Arc::<str>::from(permit.rule());
                    if request.is_method("subscriptions/listen") {
                        note.part(thing.name, upstream, Decision::Allowed, &rule);
                    } else {
                        note.went_to(Arc::clone(permit.upstream()), Some(Arc::clone(permit.name())));
                        note.decided(Decision::Allowed, Some(rule));
                    }
                });
                // The layers behind have to see the rights that the decision was made by.
                if let Cow::Owned(newer) = actor {
                    context.extensions.insert(newer);
                }
                context.extensions.insert::<Permit>(permit);
                true
            }
        }
    }

    fn unknown_target(&self, context: &Context) {
        let snapshot = self.current.get();
        let (actor, rule, word) = match Self::actor(&snapshot, context) {
            Some(actor) => (Some(actor), NOBODYS, "unknown"),
            None => (context.extensions.get().map(Cow::Borrowed), NO_TENANT, "no_tenant"),
        };
        if let Some(note) = context.extensions.get::<AuditNote>() {
            note.decided(Decision::Denied, Some(rule));
        }
        if let Some(actor) = actor {
            self.metrics.denied(actor.rights().tenant().as_str(), word);
        }
    }

    /// The caller with the rights of now: requests in the background use no outdated rights, and keep no old policy in memory.
    fn background_context(&self, context: &Context) -> Option<Context> {
        let mut lasting = Context::new(context.origin, context.revision);
        lasting.extensions.insert(Self::actor(&self.current.get(), context)?.into_owned());
        Some(lasting)
    }

    fn needs_item(&self, upstream: &str, kind: ListKind, context: &Context) -> bool {
        let snapshot = self.current.get();
        Self::actor(&snapshot, context).is_some_and(|actor| {
            actor.rights().looks_at_items()
                || kind == ListKind::Tools && self.names_tools(&snapshot, &actor, upstream)
        })
    }
}

/// The callers to whom an upstream with this scope shows the same.
fn caller_set(scope: ScopeFile, actor: &Actor) -> CallerSet {
    match scope {
        ScopeFile::Shared => CallerSet::Everybody,
        ScopeFile::Tenant => CallerSet::Key(actor.tenant().clone()),
        ScopeFile::User | ScopeFile::Session => CallerSet::Key(actor.user().clone()),
    }
}

/// The key of the connections that a caller uses with an upstream of this scope.
pub(crate) fn scope_key(scope: ScopeFile, actor: &Actor) -> ScopeKey {
    match caller_set(scope, actor) {
        CallerSet::Key(key) => key,
        _ => ScopeKey::new("shared"),
    }
}

/// The item that the policy is asked about. The upstream's description of it is read only if a rule looks at it.
fn item<'a>(upstream: &'a str, thing: &AccessTarget<'a>, looks_at_hints: bool) -> Item<'a> {
    let said = thing.item.filter(|_| looks_at_hints);
    Item::new(upstream, kind_of(thing.kind), thing.name).with_hints(said.map(hints).unwrap_or_default())
}

/// The policy's kind for the items of a list.
fn kind_of(list: ListKind) -> Kind {
    match list {
        ListKind::Tools => Kind::Tool,
        ListKind::Prompts => Kind::Prompt,
        ListKind::Resources => Kind::Resource,
        ListKind::Templates => Kind::Template,
    }
}

/// The hints that a tool gives about itself. The policy decides whether to believe them.
fn hints(item: &[u8]) -> Hints {
    #[derive(Deserialize, Default)]
    struct Annotated {
        annotations: Option<Annotations>,
    }
    #[derive(Deserialize, Default)]
    struct Annotations {
        #[serde(rename = "readOnlyHint")]
        read_only: Option<bool>,
    }
    // Few items have annotations. The others need not be parsed.
    if memchr::memmem::find(item, b"readOnlyHint").is_none() {
        return Hints::default();
    }
    let annotated: Annotated = serde_json::from_slice(item).unwrap_or_default();
    Hints { read_only: annotated.annotations.and_then(|annotations| annotations.read_only) }
}

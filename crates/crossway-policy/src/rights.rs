//! The rights of one caller: decides calls and filters lists.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::condition::{Arguments, Facts, OfCaller, Work};
use crate::config::Effect;
use crate::denied::{Denied, DenyReason};
use crate::fold::fold;
use crate::permit::Permit;
use crate::policy::Compiled;
use crate::rules::{Rule, ambiguous};
use crate::upstreams::Reach;
use crate::{Item, Kind, Policy, Principal, Proof, TenantName, limits};

/// What one caller may see and call, as one of a tenant. Clones are cheap; the rules are shared by all.
///
/// What it says never changes: who holds rights of an old policy holds old rights.
#[derive(Clone)]
pub struct Rights(Arc<Inner>);

struct Inner {
    compiled: Arc<Compiled>,
    principal: Principal,
    tenant: TenantName,
    /// (upstream, rule), in order: the rules about one upstream.
    narrow: Box<[(u32, u32)]>,
    /// The rules about several, in order.
    wide: Box<[u32]>,
    /// What conditions can know of the caller, if a rule has one.
    facts: Option<Facts>,
    /// What conditions that are about arguments say of the caller alone, by rule, in order; once it was asked.
    known: Box<[(usize, OfCaller)]>,
    looks_at_items: bool,
    view: ViewId,
}

/// Which lists somebody sees. Equal ones see the same of every list, and keep what was made for one of them for all.
///
/// It is what the grants say, not who they are about: two users of two tenants may have the same. So that lists of tenants are
/// never shared by accident, a cache's key needs the scope of the upstream beside it.
#[derive(Clone)]
pub struct ViewId(Arc<[Arc<str>]>);

impl Rights {
    pub(crate) fn new(compiled: &Arc<Compiled>, principal: &Principal, tenant: &TenantName) -> Self {
        let (mut narrow, mut wide, mut view) = (Vec::new(), Vec::new(), Vec::new());
        let numbers = compiled.rules_about(principal, tenant);
        let rules = || numbers.iter().map(|number| (*number, &compiled.rules[*number as usize]));
        let conditions = rules().any(|(_, rule)| rule.when.is_some());
        let facts = conditions.then(|| Facts::new(principal, tenant));
        let (mut looks_at_items, mut known, mut left) = (false, Vec::new(), Work::of_rights());
        for (number, rule) in rules() {
            if !facts.as_ref().is_none_or(|facts| may_apply(rule, facts, &mut left)) {
                continue;
            }
            if rule.when.as_ref().is_some_and(|when| when.has_parts_of_caller()) {
                known.push((rule.is.index(), OfCaller::new()));
            }
            looks_at_items |= rule.is_read_only() || rule.denies(Kind::Tool) || rule.denies(Kind::Prompt);
            match rule.reach {
                Reach::One(upstream) => narrow.push((upstream, number)),
                Reach::Many(_) => wide.push(number),
            }
            // What denies some calls of a thing does not take it out of lists.
            if !(rule.effect == Effect::Deny && rule.needs_arguments()) {
                view.push(Arc::clone(rule.listing(&compiled.upstreams)));
            }
        }
        narrow.sort_unstable();
        view.sort_unstable();
        view.dedup();
        Self(Arc::new(Inner {
            compiled: Arc::clone(compiled),
            principal: principal.clone(),
            tenant: tenant.clone(),
            narrow: narrow.into(),
            wide: wide.into(),
            facts,
            known: known.into(),
            looks_at_items,
            view: ViewId(view.into()),
        }))
    }

    /// Whether this policy gave them, and no other one or an older one.
    #[must_use]
    pub fn are_of(&self, policy: &Policy) -> bool {
        Arc::ptr_eq(&self.0.compiled, &policy.0)
    }

    /// Whose rights they are.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// As one of which tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantName {
        &self.0.tenant
    }

    /// Which lists are seen.
    #[must_use]
    pub fn view(&self) -> &ViewId {
        &self.0.view
    }

    /// Whether anything of an upstream's may be there for the caller. An upstream that is not reached does not exist, as far as
    /// the caller can tell.
    #[must_use]
    pub fn reaches(&self, upstream: &str) -> bool {
        let Some(upstream) = self.0.compiled.upstreams.number(upstream) else { return false };
        self.about(upstream).any(|rule| rule.effect == Effect::Allow)
    }

    /// Whether a decision about this caller may depend on what an upstream says of an item, or on whether it lists it. Nothing that
    /// is granted or denied to others changes that.
    #[must_use]
    pub fn looks_at_items(&self) -> bool {
        self.0.looks_at_items
    }

    /// Whether something of an upstream's of a kind may be denied to the caller by its name.
    ///
    /// Names are compared byte for byte, and an upstream may know a thing by more than one: `Delete_All` beside `delete_all`. Where
    /// something is denied, no name should reach an upstream that it does not list.
    #[must_use]
    pub fn denies_some(&self, upstream: &str, kind: Kind) -> bool {
        let Some(upstream) = self.0.compiled.upstreams.number(upstream) else { return false };
        self.about(upstream).any(|rule| rule.denies(kind))
    }

    /// Whether a tool or a prompt is, but for capital letters, one that may be denied to the caller by its name.
    ///
    /// For whoever does not know what an upstream lists, and so can't tell what another spelling of a denied name is to it. Where lists
    /// are known, [`denies_some`](Self::denies_some) is the one to ask.
    #[must_use]
    pub fn denies_alike(&self, item: &Item<'_>) -> bool {
        if !matches!(item.kind, Kind::Tool | Kind::Prompt) || !self.denies_some(item.upstream, item.kind) {
            return false;
        }
        let Some(upstream) = self.0.compiled.upstreams.number(item.upstream) else { return false };
        let folded = fold(item.name);
        self.about(upstream).any(|rule| rule.denies_alike(item, &folded))
    }

    /// Whether an item is in lists: if and only if [`decide`](Self::decide) would permit it, whatever conditions on arguments say.
    ///
    /// The one exception is who proves nothing: they may see what is granted to `anonymous`, and call none of it.
    #[must_use]
    pub fn lists(&self, item: &Item<'_>) -> bool {
        let Some(upstream) = self.0.compiled.upstreams.number(item.upstream) else { return false };
        is_listed_by(self.about(upstream), item)
    }

    /// The same for many items of one upstream: which rules speak of it is found out once.
    pub fn lists_of(&self, upstream: &str) -> impl Fn(&Item<'_>) -> bool + use<> {
        let number = self.0.compiled.upstreams.number(upstream);
        let numbers: Vec<u32> =
            number.into_iter().flat_map(|upstream| self.numbers_about(upstream)).collect();
        let compiled = Arc::clone(&self.0.compiled);
        move |item| is_listed_by(numbers.iter().map(|number| &compiled.rules[*number as usize]), item)
    }

    /// What the names, or URIs, of all things of a kind begin with that [`lists`](Self::lists) may have of an upstream, so that thousands of others need
    /// not be asked about. What begins so need not be listed. An empty text is what every name begins with.
    pub fn beginnings(&self, upstream: &str, kind: Kind) -> impl Iterator<Item = &str> {
        let number = self.0.compiled.upstreams.number(upstream);
        let rules = number.into_iter().flat_map(|upstream| self.about(upstream));
        rules.filter(|rule| rule.effect == Effect::Allow).flat_map(move |rule| rule.beginnings(kind))
    }

    /// Whether an item may be called. `arguments` is JSON as it came: it is looked at only if a condition is about it.
    ///
    /// # Errors
    ///
    /// When it may not. The reason is for operators; whoever calls must not be able to tell it from an item that does not exist.
    pub fn decide(&self, item: &Item<'_>, arguments: Option<&str>) -> Result<Permit, Denied> {
        let denied = |reason| Err(Denied::new(reason));
        if self.0.principal.proof() == Proof::Anonymous {
            return denied(DenyReason::Anonymous);
        }
        let Some(upstream) = self.0.compiled.upstreams.number(item.upstream) else {
            return denied(DenyReason::NoUpstream);
        };
        if item.name.len() > limits::NAME_BYTES {
            return denied(DenyReason::NameTooLong);
        }
        let mut allowed: Option<&Rule> = None;
        let mut conditional = Vec::new();
        for rule in self.matching(upstream, item) {
            match rule.effect {
                _ if rule.needs_arguments() => conditional.push(rule),
                Effect::Deny => return denied(DenyReason::DeniedBy(rule.is.clone())),
                // The first of the grants is told, whatever order they are looked at in.
                Effect::Allow => {
                    allowed =
                        Some(allowed.map_or(rule, |first| if first.is <= rule.is { first } else { rule }));
                }
            }
        }
        if !conditional.is_empty() {
            conditional.sort_unstable_by_key(|rule| rule.is.index());
            allowed = self.ask(&conditional, allowed, arguments).map_err(Denied::new)?;
        }
        match allowed {
            Some(rule) => {
                let upstream = self.0.compiled.upstreams.shared_name(upstream);
                Ok(Permit::new(self.clone(), upstream, item, rule.is.clone()))
            }
            None if ambiguous(item) => denied(DenyReason::AmbiguousUri),
            None => denied(DenyReason::NoGrant),
        }
    }

    /// Asks the rules that depend on arguments, in order. One that denies and gives no answer denies; one that allows and gives none
    /// does not allow.
    fn ask<'a>(
        &self,
        rules: &[&'a Rule],
        allowed: Option<&'a Rule>,
        arguments: Option<&str>,
    ) -> Result<Option<&'a Rule>, DenyReason> {
        let Some(facts) = &self.0.facts else { return Ok(None) };
        let arguments = Arguments::parse(arguments);
        let mut left = Work::of_call();
        let mut holds = |rule: &Rule| match &arguments {
            Ok(arguments) => match self.known_of(rule) {
                Some(known) => rule.holds_as(known, facts, arguments, &mut left),
                None => rule.holds(facts, Some(arguments), &mut left),
            },
            Err(why) => Err(*why),
        };
        for rule in rules.iter().filter(|rule| rule.effect == Effect::Deny) {
            match holds(rule) {
                Ok(true) => return Err(DenyReason::DeniedBy(rule.is.clone())),
                Ok(false) => {}
                Err(why) => return Err(DenyReason::ConditionFailed(rule.is.clone(), why)),
            }
        }
        if allowed.is_some() {
            return Ok(allowed);
        }
        let mut first = None;
        for rule in rules.iter().filter(|rule| rule.effect == Effect::Allow) {
            match holds(rule) {
                Ok(true) => return Ok(Some(rule)),
                Ok(false) => _ = first.get_or_insert(DenyReason::ConditionFalse(rule.is.clone())),
                Err(why) => _ = first.get_or_insert(DenyReason::ConditionFailed(rule.is.clone(), why)),
            }
        }
        first.map_or(Ok(None), Err)
    }

    /// Where it is kept what a rule's condition says of the caller alone, if that is a part of it.
    fn known_of(&self, rule: &Rule) -> Option<&OfCaller> {
        let at = self.0.known.binary_search_by_key(&rule.is.index(), |(known, _)| *known).ok()?;
        self.0.known.get(at).map(|(_, known)| known)
    }

    /// The rules that speak of an item.
    fn matching<'a>(&'a self, upstream: u32, item: &'a Item<'_>) -> impl Iterator<Item = &'a Rule> {
        let ambiguous = ambiguous(item);
        self.about(upstream).filter(move |rule| rule.covers(item, ambiguous))
    }

    /// The rules that speak of an upstream.
    fn about(&self, upstream: u32) -> impl Iterator<Item = &Rule> {
        self.numbers_about(upstream).map(|number| &self.0.compiled.rules[number as usize])
    }

    fn numbers_about(&self, upstream: u32) -> impl Iterator<Item = u32> {
        let Inner { compiled, narrow, wide, .. } = &*self.0;
        let from = narrow.partition_point(|(of, _)| *of < upstream);
        let narrow = narrow[from..].iter().take_while(move |(of, _)| *of == upstream).map(|(_, rule)| *rule);
        let numbers = narrow.chain(wide.iter().copied());
        numbers.filter(move |number| compiled.rules[*number as usize].reach.has(upstream))
    }
}

/// Whether an item is in lists, by the rules that speak of its upstream.
fn is_listed_by<'a>(rules: impl Iterator<Item = &'a Rule>, item: &Item<'_>) -> bool {
    if item.name.len() > limits::NAME_BYTES {
        return false;
    }
    let ambiguous = ambiguous(item);
    let mut allowed = false;
    for rule in rules.filter(|rule| rule.covers(item, ambiguous)) {
        match rule.effect {
            Effect::Allow => allowed = true,
            Effect::Deny if rule.needs_arguments() => {}
            Effect::Deny => return false,
        }
    }
    allowed
}

/// Whether a rule can apply to any call of the caller: conditions that are not about arguments are decided here, once.
fn may_apply(rule: &Rule, facts: &Facts, left: &mut Work) -> bool {
    if rule.needs_arguments() {
        return true;
    }
    // No answer denies: what denies does so, what allows does not.
    rule.holds(facts, None, left).unwrap_or(rule.effect == Effect::Deny)
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.0.narrow.len() + self.0.wide.len();
        f.debug_struct("Rights")
            .field("tenant", &self.0.tenant)
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

impl PartialEq for ViewId {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<str>, &Arc<str>)| Arc::ptr_eq(a, b) || a == b;
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.len() == other.0.len() && self.0.iter().zip(&*other.0).all(same))
    }
}

impl Eq for ViewId {}

impl Ord for ViewId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for ViewId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ViewId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ViewId({} rules)", self.0.len())
    }
}

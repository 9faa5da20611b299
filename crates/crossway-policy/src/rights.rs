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

/// One caller's rights to see and call items, as a member of one tenant. Clones are cheap; all rights share the policy's rules.
///
/// Rights never change: rights made by an old policy still decide as it did.
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
    /// The caller's facts for conditions, if a rule has one.
    facts: Option<Facts>,
    /// By rule index, sorted: the cached results of the caller-only parts of conditions that also use arguments.
    known: Box<[(usize, OfCaller)]>,
    looks_at_items: bool,
    view: ViewId,
}

/// Identifies a view of lists. Callers with equal ids see the same items in every list, and share what was cached for one of them.
///
/// The id depends on what the grants say, not on who they are about: two users of two tenants may have the same. So that tenants never
/// share lists by accident, a cache's key needs the scope of the upstream beside it.
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
            // A denial of some calls of an item does not take it out of lists.
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

    /// Whether this policy made these rights, not another or an older one.
    #[must_use]
    pub fn are_of(&self, policy: &Policy) -> bool {
        Arc::ptr_eq(&self.0.compiled, &policy.0)
    }

    /// The caller who has these rights.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The tenant on whose behalf the caller acts.
    #[must_use]
    pub fn tenant(&self) -> &TenantName {
        &self.0.tenant
    }

    /// The id of the caller's view of lists.
    #[must_use]
    pub fn view(&self) -> &ViewId {
        &self.0.view
    }

    /// Whether the caller may have access to anything of an upstream. To the caller, an upstream that is not reached does not exist.
    #[must_use]
    pub fn reaches(&self, upstream: &str) -> bool {
        let Some(upstream) = self.0.compiled.upstreams.number(upstream) else { return false };
        self.about(upstream).any(|rule| rule.effect == Effect::Allow)
    }

    /// Whether a decision about this caller may depend on an upstream's hints about an item, or on whether it lists the item. Grants and
    /// denials for others don't matter here.
    #[must_use]
    pub fn looks_at_items(&self) -> bool {
        self.0.looks_at_items
    }

    /// Whether an upstream's items of a kind may be denied to the caller by name.
    ///
    /// Names are compared byte for byte, and an upstream may know an item by more than one: `Delete_All` beside `delete_all`. Where
    /// something is denied, no name that the upstream does not list should reach it.
    #[must_use]
    pub fn denies_some(&self, upstream: &str, kind: Kind) -> bool {
        let Some(upstream) = self.0.compiled.upstreams.number(upstream) else { return false };
        self.about(upstream).any(|rule| rule.denies(kind))
    }

    /// Whether a quota of the caller's is about tools of an upstream: they are counted by name, so no name that the upstream does not list
    /// should reach it.
    #[must_use]
    pub fn counts_tools(&self, upstream: &str) -> bool {
        let (compiled, tenant) = (&self.0.compiled, &self.0.tenant);
        let counts = |upstream| compiled.quotas.count_tools(tenant, upstream);
        compiled.quotas.has_tools && compiled.upstreams.number(upstream).is_some_and(counts)
    }

    /// Whether the name of a tool or prompt differs only in case from one that may be denied to the caller.
    ///
    /// For callers that do not know what an upstream lists, and so can't tell what it takes another spelling of a denied name for. Where
    /// the lists are known, use [`denies_some`](Self::denies_some).
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
    /// Anonymous callers are the one exception: they may see what is granted to `anonymous`, and call none of it.
    #[must_use]
    pub fn lists(&self, item: &Item<'_>) -> bool {
        let Some(upstream) = self.0.compiled.upstreams.number(item.upstream) else { return false };
        is_listed_by(self.about(upstream), item)
    }

    /// Like [`lists`](Self::lists), for many items of one upstream: the rules about that upstream are looked up once.
    pub fn lists_of(&self, upstream: &str) -> impl Fn(&Item<'_>) -> bool + use<> {
        let number = self.0.compiled.upstreams.number(upstream);
        let numbers: Vec<u32> =
            number.into_iter().flat_map(|upstream| self.numbers_about(upstream)).collect();
        let compiled = Arc::clone(&self.0.compiled);
        move |item| is_listed_by(numbers.iter().map(|number| &compiled.rules[*number as usize]), item)
    }

    /// The prefixes of the names, or URIs, of all items of a kind that [`lists`](Self::lists) may accept for an upstream. Thousands of
    /// other items can be skipped without a check. An item with such a prefix need not be listed. An empty prefix fits every name.
    pub fn beginnings(&self, upstream: &str, kind: Kind) -> impl Iterator<Item = &str> {
        let number = self.0.compiled.upstreams.number(upstream);
        let rules = number.into_iter().flat_map(|upstream| self.about(upstream));
        rules.filter(|rule| rule.effect == Effect::Allow).flat_map(move |rule| rule.beginnings(kind))
    }

    /// Decides whether an item may be called. `arguments` is the JSON as received: it is read only if a condition needs it.
    ///
    /// # Errors
    ///
    /// When the call is denied. The reason is for operators: the caller must not be able to tell it from an item that does not exist.
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
                // The permit names the first of the grants, in whatever order they are looked at.
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

    /// Evaluates the rules that depend on arguments, in order. Where a condition gives no answer, a deny rule denies and an allow rule
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

    /// The cached result of the caller-only part of a rule's condition, if it has such a part.
    fn known_of(&self, rule: &Rule) -> Option<&OfCaller> {
        let at = self.0.known.binary_search_by_key(&rule.is.index(), |(known, _)| *known).ok()?;
        self.0.known.get(at).map(|(_, known)| known)
    }

    /// The rules that cover an item.
    fn matching<'a>(&'a self, upstream: u32, item: &'a Item<'_>) -> impl Iterator<Item = &'a Rule> {
        let ambiguous = ambiguous(item);
        self.about(upstream).filter(move |rule| rule.covers(item, ambiguous))
    }

    /// The rules about an upstream.
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

/// Whether an item is in lists, by the rules about its upstream.
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

/// Whether a rule can apply to any call of the caller. A condition that does not use arguments is decided here, once.
fn may_apply(rule: &Rule, facts: &Facts, left: &mut Work) -> bool {
    if rule.needs_arguments() {
        return true;
    }
    // Without an answer, a deny rule applies and an allow rule does not.
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

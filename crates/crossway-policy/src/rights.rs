//! What one caller may do.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::config::Effect;
use crate::denied::{Denied, DenyReason};
use crate::permit::Permit;
use crate::policy::Compiled;
use crate::rules::{Rule, Verdict, ambiguous};
use crate::upstreams::Reach;
use crate::{Item, Principal, Proof, TenantName, limits};

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
        for number in compiled.rules_about(principal, tenant) {
            let rule = &compiled.rules[number as usize];
            match rule.reach {
                Reach::One(upstream) => narrow.push((upstream, number)),
                Reach::Many(_) => wide.push(number),
            }
            view.push(Arc::clone(&rule.listing));
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
            view: ViewId(view.into()),
        }))
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
        let from = self.0.narrow.partition_point(|(of, _)| *of < upstream);
        let narrow =
            self.0.narrow[from..].iter().take_while(|(of, _)| *of == upstream).map(|(_, rule)| *rule);
        let mut rules =
            narrow.chain(self.0.wide.iter().copied()).map(|number| &self.0.compiled.rules[number as usize]);
        rules.any(|rule| rule.effect == Effect::Allow && rule.reach.has(upstream))
    }

    /// Whether an item is in lists: if and only if [`decide`](Self::decide) would permit it, whatever conditions on arguments say.
    ///
    /// The one exception is who proves nothing: they may see what is granted to `anonymous`, and call none of it.
    #[must_use]
    pub fn lists(&self, item: &Item<'_>) -> bool {
        let Some(upstream) = self.0.compiled.upstreams.number(item.upstream) else { return false };
        if item.name.len() > limits::NAME_BYTES {
            return false;
        }
        let mut allowed = false;
        for rule in self.matching(upstream, item) {
            if rule.effect == Effect::Deny {
                return false;
            }
            allowed = true;
        }
        allowed
    }

    /// Whether an item may be called. `arguments` is JSON as it came: it is looked at only if a condition is about it.
    ///
    /// # Errors
    ///
    /// When it may not. The reason is for operators; whoever calls must not be able to tell it from an item that does not exist.
    pub fn decide(&self, item: &Item<'_>, arguments: Option<&str>) -> Result<Permit, Denied> {
        _ = arguments;
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
        for rule in self.matching(upstream, item) {
            if rule.effect == Effect::Deny {
                return denied(DenyReason::DeniedBy(rule.is.clone()));
            }
            // The first of the grants is told, whatever order they are looked at in.
            allowed = Some(allowed.map_or(rule, |first| if first.is <= rule.is { first } else { rule }));
        }
        match allowed {
            Some(rule) => Ok(Permit::new(self.clone(), item, rule.is.clone())),
            None if ambiguous(item) => denied(DenyReason::AmbiguousUri),
            None => denied(DenyReason::NoGrant),
        }
    }

    /// The numbers of all rules about the caller, in order.
    pub(crate) fn rules(&self) -> Vec<u32> {
        let narrow = self.0.narrow.iter().map(|(_, rule)| *rule);
        let mut rules: Vec<u32> = narrow.chain(self.0.wide.iter().copied()).collect();
        rules.sort_unstable();
        rules
    }

    /// What one of these says of a call.
    pub(crate) fn verdict(&self, rule: &Rule, item: &Item<'_>, arguments: Option<&str>) -> Verdict {
        _ = arguments;
        rule.verdict(item, ambiguous(item))
    }

    /// The rules that speak of an item.
    fn matching<'a>(&'a self, upstream: u32, item: &'a Item<'_>) -> impl Iterator<Item = &'a Rule> {
        let Inner { compiled, narrow, wide, .. } = &*self.0;
        let from = narrow.partition_point(|(of, _)| *of < upstream);
        let narrow = narrow[from..].iter().take_while(move |(of, _)| *of == upstream).map(|(_, rule)| *rule);
        let wide = wide.iter().copied();
        let ambiguous = ambiguous(item);
        narrow
            .chain(wide)
            .map(|number| &compiled.rules[number as usize])
            .filter(move |rule| rule.reach.has(upstream) && rule.covers(item, ambiguous))
    }
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

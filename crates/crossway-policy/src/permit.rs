//! Permits: proof that a call was allowed, required to reach an upstream.

use std::fmt;
use std::sync::Arc;

use crate::rule_ref::RuleRef;
use crate::{Item, Kind, Principal, Rights, TenantName};

/// One call of one caller on one item is permitted. Only [`Rights::decide`] makes one; clones are cheap.
///
/// It is worth what it says and no more: whoever takes it compares upstream, kind, name and [`principal`](Self::principal) with the call at
/// hand. It does not say which arguments were looked at, nor that the policy it came from holds yet: it is for the call for which it was
/// made, and whoever keeps one for another call, or changes the arguments after it was made, has decided nothing about that.
#[derive(Clone)]
pub struct Permit(Arc<Inner>);

struct Inner {
    rights: Rights,
    upstream: Arc<str>,
    kind: Kind,
    name: Arc<str>,
    rule: RuleRef,
}

impl Permit {
    /// `upstream` is the item's.
    pub(crate) fn new(rights: Rights, upstream: Arc<str>, item: &Item<'_>, rule: RuleRef) -> Self {
        Self(Arc::new(Inner { rights, upstream, kind: item.kind, name: item.name.into(), rule }))
    }

    /// Whether it is for this upstream and this item.
    #[must_use]
    pub fn is_for(&self, upstream: &str, kind: Kind, name: &str) -> bool {
        *self.0.upstream == *upstream && self.0.kind == kind && *self.0.name == *name
    }

    /// Whether those rights by which it was made permit another item of the same upstream too, whatever its arguments: of a request that
    /// names several.
    #[must_use]
    pub fn extends_to(&self, kind: Kind, name: &str) -> bool {
        self.0.rights.decide(&Item::new(&self.0.upstream, kind, name), None).is_ok()
    }

    /// The upstream that may be called.
    #[must_use]
    pub fn upstream(&self) -> &Arc<str> {
        &self.0.upstream
    }

    /// What kind of thing may be called.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What may be called, as the upstream calls it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// As one of which tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantName {
        self.0.rights.tenant()
    }

    /// Who may call.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.0.rights.principal()
    }

    /// The first grant that allows it.
    #[must_use]
    pub fn rule(&self) -> &RuleRef {
        &self.0.rule
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { upstream, kind, rule, .. } = &*self.0;
        let mut debug = f.debug_struct("Permit");
        debug.field("upstream", upstream).field("kind", kind).field("rule", rule).finish_non_exhaustive()
    }
}

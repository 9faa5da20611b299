//! Permits: proof that a call was allowed, required to reach an upstream.

use std::fmt;
use std::sync::Arc;

use crate::rule_ref::RuleRef;
use crate::{Item, Kind, Principal, Rights, TenantName};

/// Proof that one call of one caller on one item is permitted. Only [`Rights::decide`] makes one; clones are cheap.
///
/// The receiver of a permit must compare upstream, kind, name and [`principal`](Self::principal) with the call at hand. A permit does not
/// say which arguments were checked, nor whether its policy still applies: it is for the one call for which it was made. If it is kept for
/// another call, or the arguments change afterwards, nothing has been decided about that.
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
    /// `upstream` has to be the upstream of `item`.
    pub(crate) fn new(rights: Rights, upstream: Arc<str>, item: &Item<'_>, rule: RuleRef) -> Self {
        Self(Arc::new(Inner { rights, upstream, kind: item.kind, name: item.name.into(), rule }))
    }

    /// Whether this permit is for this upstream and this item.
    #[must_use]
    pub fn is_for(&self, upstream: &str, kind: Kind, name: &str) -> bool {
        *self.0.upstream == *upstream && self.0.kind == kind && *self.0.name == *name
    }

    /// Whether the same rights also permit another item of the same upstream, regardless of its arguments: for a request that names several
    /// items.
    #[must_use]
    pub fn extends_to(&self, kind: Kind, name: &str) -> bool {
        self.0.rights.decide(&Item::new(&self.0.upstream, kind, name), None).is_ok()
    }

    /// The upstream of the permitted item.
    #[must_use]
    pub fn upstream(&self) -> &Arc<str> {
        &self.0.upstream
    }

    /// The kind of the permitted item.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The name of the permitted item, as the upstream calls it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The tenant on whose behalf the caller may call.
    #[must_use]
    pub fn tenant(&self) -> &TenantName {
        self.0.rights.tenant()
    }

    /// The caller who may call.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.0.rights.principal()
    }

    /// The first grant that allows the call.
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

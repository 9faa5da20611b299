//! Who calls, as a request's extensions carry it on.

use std::fmt;
use std::sync::Arc;

use crossway_policy::Principal;
use crossway_service::SessionOwner;
use http::Extensions;

use crate::joined::joined;

/// A principal, and the owner that its sessions have. Clones are cheap.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    principal: Principal,
    owner: SessionOwner,
}

impl Caller {
    /// Of a principal that was proven.
    pub(crate) fn new(principal: Principal) -> Self {
        let owner = SessionOwner::new(owner(&principal));
        Self(Arc::new(Inner { principal, owner }))
    }

    /// Who calls.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// Puts the [`Principal`] and the session owner into a request's extensions.
    pub(super) fn put_into(&self, extensions: &mut Extensions) {
        extensions.insert(self.0.principal.clone());
        extensions.insert(self.0.owner.clone());
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(self.principal()).finish()
    }
}

/// A name that no other issuer and subject have.
fn owner(principal: &Principal) -> String {
    joined(&[principal.issuer(), principal.subject()])
}

#[cfg(test)]
mod tests {
    use crossway_policy::Proof;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_caller_is_not_shown() {
        let caller = Caller::new(Principal::new("issuer", "alice", Proof::ApiKey));
        assert!(!format!("{caller:?}").contains("alice"));
    }

    proptest! {
        #[test]
        fn two_principals_never_have_one_owner(
            a in ("[0-9:a]{0,6}", "[0-9:a]{0,6}"),
            b in ("[0-9:a]{0,6}", "[0-9:a]{0,6}"),
        ) {
            let of = |(issuer, subject): &(String, String)| {
                owner(&Principal::new(issuer.as_str(), subject.as_str(), Proof::Jwt))
            };
            prop_assert_eq!(of(&a) == of(&b), a == b);
        }
    }
}

//! The caller in a request's extensions: its principal, and the owner of its sessions.

use std::fmt;
use std::sync::Arc;

use crossway_policy::Principal;
use crossway_service::{Extensions, SessionOwner};

use crate::joined::joined;

/// A principal, with the owner of its sessions. Clones are cheap.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    principal: Principal,
    /// The principal and the owner of its sessions, for the extensions of each request.
    extensions: Extensions,
}

impl Caller {
    /// Creates the caller for a proven principal.
    pub(crate) fn new(principal: Principal) -> Self {
        let mut extensions = Extensions::new();
        extensions.insert(SessionOwner::new(owner(&principal)));
        extensions.insert(principal.clone());
        Self(Arc::new(Inner { principal, extensions }))
    }

    /// The principal of this caller.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The extensions of this caller's requests: the [`Principal`], and the owner of its sessions.
    pub(crate) fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(self.principal()).finish()
    }
}

/// Returns an owner name that is unique to this issuer and subject.
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

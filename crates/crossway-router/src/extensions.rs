//! Values that the router's parts pass along with a call, in [`Context::extensions`](crossway_service::Context).

use std::fmt;
use std::sync::Arc;

use crossway_service::Origin;

/// Which legacy client's session a modern request comes from. Connections of scope `session` belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientSession(pub Origin);

/// For whom a call is made, in the words of whoever knows: a principal, or a tenant.
///
/// Pools and caches keep what belongs to one key from all others. Two keys are one if their texts are, so a text has
/// to say all that tells two of them apart, such as issuer and subject, and the version of the credentials.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ScopeKey(Arc<str>);

impl ScopeKey {
    /// A key that no other principal or tenant has.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ScopeKey {
    /// Who calls does not belong into logs by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScopeKey([redacted])")
    }
}

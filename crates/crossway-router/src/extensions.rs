//! Values that the router's parts pass along with a call, in [`Context::extensions`](crossway_service::Context).

use std::fmt;
use std::sync::Arc;

use crossway_service::Origin;

/// The legacy client's session that a modern request comes from. Connections of scope `session` belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientSession(pub Origin);

/// The principal or tenant that a call is made for.
///
/// Pools and caches separate what belongs to different keys. Two keys are equal if their texts are, so a text has to hold everything
/// that distinguishes two callers, such as issuer and subject, and the version of the credentials.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ScopeKey(Arc<str>);

impl ScopeKey {
    /// A key that no other principal or tenant has.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ScopeKey {
    /// Redacted: the caller must not get into logs by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScopeKey([redacted])")
    }
}

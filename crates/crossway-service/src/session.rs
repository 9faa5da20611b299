//! Owners of legacy sessions, and the state that a session is restored from.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use crossway_proto::Revision;

/// The owner of a session, where something in front of a server knows it.
///
/// Put one into the extensions of each HTTP request: a session then answers only requests of the owner that
/// opened it, and does not exist for all others, on Streamable HTTP and on HTTP+SSE. "MCP servers **SHOULD**
/// bind session IDs to user-specific information" (2025-11-25, basic/security_best_practices, Session
/// Hijacking): a session id alone does not prove who sends it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionOwner(Arc<str>);

impl SessionOwner {
    /// An owner by a name that no other owner has, such as the issuer and subject of a token.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionOwner([redacted])")
    }
}

/// The state from which a legacy client's session can be restored.
///
/// It has what `initialize` said, and nothing that happened since: open streams, calls in flight,
/// subscriptions and log levels stay with the process that has them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionState {
    /// A random number that no other session has.
    pub number: u128,
    /// The revision that was agreed upon, if the server had answered when the client was given the session.
    pub revision: Option<Revision>,
    /// The `params` of the client's `initialize`, as they came.
    pub initialize: Bytes,
    /// When the session ends, used or not.
    pub expires: SystemTime,
}

impl SessionState {
    /// The state of a session.
    #[must_use]
    pub fn new(number: u128, revision: Option<Revision>, initialize: Bytes, expires: SystemTime) -> Self {
        Self { number, revision, initialize, expires }
    }
}

impl fmt::Debug for SessionState {
    /// The number works like a password, and the client's identity must not get into logs by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = &self.revision;
        f.debug_struct("SessionState").field("revision", revision).finish_non_exhaustive()
    }
}

/// Encodes session state into the session id and decodes it, so that any replica can restore the session.
///
/// Implementations must authenticate handles: only holders of the key may create one that opens. A handle opens only for the `owner` that
/// it was issued for, where something in front of the server knows the owner.
pub trait SessionHandles: fmt::Debug + Send + Sync + 'static {
    /// The handle of a session: visible ASCII, as the specification requires of session ids (2025-11-25,
    /// basic/transports, Session Management). `None` when the state does not fit into one: the session then
    /// gets an id that only its process knows.
    fn issue(&self, state: &SessionState, owner: Option<&str>) -> Option<String>;

    /// The state in a handle. `None` unless it was issued by a holder of the key, for this owner.
    ///
    /// It does not check whether the session has expired.
    fn open(&self, handle: &str, owner: Option<&str>) -> Option<SessionState>;
}

//! Serves sessions of legacy clients on a modern upstream.

mod listening;
mod missed;
mod reply;
mod session;

use std::fmt;
use std::sync::Arc;

use crossway_service::{Link, Scope, Upstream};

use session::Session;

/// A modern upstream that serves clients of both eras.
///
/// Each connection of scope `Session` belongs to one client. A legacy client's messages become modern requests by
/// [`crossway_era::from_legacy`]; modern messages pass untouched. Calls carry [`ClientSession`](crate::ClientSession), so that the
/// upstream can tell sessions apart.
///
/// A plain call needs no task and no channel: its reply is the upstream's, with its messages rewritten.
#[derive(Clone)]
pub struct FromLegacy<U>(Arc<U>);

impl<U: Upstream> FromLegacy<U> {
    /// Serves legacy clients on `upstream`, which has to be modern.
    pub fn new(upstream: U) -> Self {
        Self(Arc::new(upstream))
    }
}

impl<U: Upstream> Upstream for FromLegacy<U> {
    fn connect(&self, scope: Scope) -> Link {
        match scope {
            Scope::Session | Scope::Pooled => {
                Link::new(session::FromLegacyConnection::new(Session::new(self.0.connect(Scope::Shared))))
            }
            Scope::Shared => self.0.connect(scope),
        }
    }
}

impl<U> fmt::Debug for FromLegacy<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromLegacy")
    }
}

#[cfg(test)]
mod tests;

//! Guards an upstream: concurrency bounds, circuit breaker, retries and timeouts.
//!
//! A [`Guard`] stands around one upstream, modern or legacy. For each request it does this:
//!
//! | what | how |
//! |---|---|
//! | bounds | so many calls at once; the others wait their turn in order, so many of them, and so long |
//! | breaker | failures in a row: the upstream is left alone for a while, and calls fail at once as *not sent*; then one call is let through to try, and others wait a moment for what it finds |
//! | `Retry-After` | no calls until then: they wait if that is soon, else they fail as *not sent* |
//! | retries | what the upstream has not seen is tried again; what it may have seen only if [`Repeatable`] says that this does no harm |
//! | timeouts | calls that are silent for too long, or take too long, end, and the upstream is told |
//! | questions | while a server waits for what it has asked the client, its call has no turn and is not silent |
//!
//! Notifications, responses, the standing stream and `subscriptions/listen` pass as they are: they take no turn, since
//! calls that have one may wait for them. A call that waits its turn can be cancelled like any other.
//!
//! Everybody who uses the upstream shares the bounds and the breaker: a client whose calls make the upstream fail
//! can have it left alone for all. One answer in between is enough to prevent that. Of the bounds, a
//! [group](GuardOptions::group_by) of callers has three quarters at the most.

mod breaker;
mod gate;
pub(crate) mod group;
mod health;
mod idle_timeout;
mod options;
mod questions;
mod repeat;
mod reply;
mod shared;
mod timer;
mod turn;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossway_proto::{Kind, Message};
use crossway_service::{Ask, Call, Closing, Connection, Link, Reply, Scope, Upstream};
use tokio::sync::watch;

pub use breaker::BreakerOptions;
pub use health::{Health, HealthState};
pub use idle_timeout::IdleTimeout;
pub use options::GuardOptions;
pub use repeat::{ReadsOnly, Repeatable, ToolHints};

use questions::{Questions, noted};
use reply::Guarded;
use shared::Shared;

/// An upstream with bounds, a breaker, retries and timeouts. Clones share them.
///
/// It has no task of its own and starts none. A call that finds everything in order takes no lock.
pub struct Guard<U> {
    upstream: U,
    shared: Arc<Shared>,
}

impl<U> Guard<U> {
    /// Guards `upstream`.
    pub fn new(upstream: U, options: GuardOptions) -> Self {
        Self { upstream, shared: Arc::new(Shared::new(options)) }
    }

    /// How the upstream is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Tells when that changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<HealthState> {
        self.shared.watch()
    }

    /// The upstream.
    pub fn upstream(&self) -> &U {
        &self.upstream
    }
}

impl<U: Clone> Clone for Guard<U> {
    fn clone(&self) -> Self {
        Self { upstream: self.upstream.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<U: Upstream> Upstream for Guard<U> {
    fn connect(&self, scope: Scope) -> Link {
        let line = Line {
            link: self.upstream.connect(scope),
            is_session: scope.is_session(),
            has_ended: AtomicBool::new(false),
            questions: Arc::default(),
        };
        Link::new(GuardedLink { line: Arc::new(line), shared: Arc::clone(&self.shared) })
    }
}

impl<U> fmt::Debug for Guard<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.health()).finish()
    }
}

/// A link of the upstream's.
struct Line {
    link: Link,
    /// It is one client's own: once it has ended, it stays so, and that says nothing of the upstream.
    is_session: bool,
    /// Its last call found that it has ended.
    has_ended: AtomicBool,
    /// What the server waits for.
    questions: Arc<Questions>,
}

struct GuardedLink {
    line: Arc<Line>,
    shared: Arc<Shared>,
}

impl Connection for GuardedLink {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if message.is_request() => {
                if message.is_method("subscriptions/listen") {
                    return self.line.link.call(call);
                }
            }
            Ask::Message(message) if self.cancels_one_that_waits(message, &call) => return Reply::accepted(),
            Ask::Message(message) => {
                self.line.questions.sent(message);
                return self.line.link.call(call);
            }
            _ => return noted(self.line.link.call(call), &self.line.questions),
        }
        Reply::stream(Guarded::new(&self.shared, &self.line, call))
    }

    fn close(&self) -> Closing {
        self.line.link.close()
    }
}

impl GuardedLink {
    /// Takes back a call that the upstream has not seen, or is not to see again.
    fn cancels_one_that_waits(&self, message: &Message, call: &Call) -> bool {
        message.kind() == Kind::Notification
            && self.shared.has_waiting()
            && message.is_method("notifications/cancelled")
            && message
                .cancelled_id()
                .is_some_and(|id| self.shared.cancel_waiting(call.context.origin.as_u64(), id))
    }
}

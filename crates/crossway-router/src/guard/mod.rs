//! Guards an upstream: concurrency bounds, circuit breaker, retries and timeouts.
//!
//! A [`Guard`] wraps one upstream, modern or legacy. For each request it applies:
//!
//! | what | how |
//! |---|---|
//! | bounds | a limit of concurrent calls; further calls wait their turn in order, up to a limited number and time |
//! | breaker | after failures in a row, calls fail at once as *not sent* for a while; then one is a trial, and others wait for its result |
//! | `Retry-After` | no calls until then: they wait if that is soon, else they fail as *not sent* |
//! | retries | a call the upstream has not seen is retried; one that it may have seen only if [`Repeatable`] says that this does no harm |
//! | timeouts | calls that are silent for too long, or take too long, end, and the upstream is told |
//! | questions | while a server waits for an answer of the client, its call has no turn and does not count as silent |
//!
//! Notifications, responses, the standing stream and `subscriptions/listen` pass untouched: they take no turn, since calls with a turn
//! may wait for them. So does `ping`, which asks whether the server still answers: it must not wait for the calls that it is asked
//! about, and its answer must not hide that calls fail. Who sends it limits its time. A call that waits for its turn can be cancelled like any other.
//!
//! All users of the upstream share the bounds and the breaker: one client's failing calls can suspend the upstream for all. A
//! single answer in between prevents that. A [group](GuardOptions::group_by) of callers gets three quarters of the bounds at most.

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
/// It has no task of its own and starts none. A call to a healthy upstream with a free turn takes no lock.
pub struct Guard<U> {
    upstream: U,
    shared: Arc<Shared>,
}

impl<U> Guard<U> {
    /// Guards `upstream`.
    pub fn new(upstream: U, options: GuardOptions) -> Self {
        Self { upstream, shared: Arc::new(Shared::new(options)) }
    }

    /// The health of the upstream.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Watches the state in [`health`](Self::health).
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<HealthState> {
        self.shared.watch()
    }

    /// The guarded upstream.
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
        Link::new(GuardConnection { line: Arc::new(line), shared: Arc::clone(&self.shared) })
    }
}

impl<U> fmt::Debug for Guard<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.health()).finish()
    }
}

/// A link of the upstream.
struct Line {
    link: Link,
    /// Whether the link is one client's own: once ended, it stays so, and that shows nothing about the upstream.
    is_session: bool,
    /// Whether the link's last call found that it has ended.
    has_ended: AtomicBool,
    /// The server's open questions to the client.
    questions: Arc<Questions>,
}

struct GuardConnection {
    line: Arc<Line>,
    shared: Arc<Shared>,
}

impl Connection for GuardConnection {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if message.is_request() => {
                if message.is_method("subscriptions/listen") || message.is_method("ping") {
                    return self.line.link.call(call);
                }
            }
            Ask::Message(message) if self.cancels_one_that_waits(message, &call) => return Reply::accepted(),
            Ask::Message(message) => {
                self.line.questions.sent(message);
                return self.line.link.call(call);
            }
            Ask::Listen => return noted(self.line.link.call(call), &self.line.questions),
        }
        Reply::stream(Guarded::new(&self.shared, &self.line, call))
    }

    fn close(&self) -> Closing {
        self.line.link.close()
    }
}

impl GuardConnection {
    /// Cancels a waiting call that the upstream has not seen, or is not to see again.
    fn cancels_one_that_waits(&self, message: &Message, call: &Call) -> bool {
        message.kind() == Kind::Notification
            && self.shared.has_waiting()
            && message.is_method("notifications/cancelled")
            && message
                .cancelled_id()
                .is_some_and(|id| self.shared.cancel_waiting(call.context.origin.as_u64(), id))
    }
}

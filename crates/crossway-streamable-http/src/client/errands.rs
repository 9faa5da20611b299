//! Background messages to an upstream: cancellations and session ends.

use std::collections::VecDeque;
use std::sync::Arc;

use crossway_proto::{Message, RequestId};
use http::Method;
use parking_lot::{Mutex, MutexGuard};

use super::ends::Ending;
use super::http::{Outbound, Purpose};
use super::session::Badge;
use super::upstream::Shared;
use super::{headers, limits};

/// A message to an upstream whose answer does not matter.
pub(super) enum Errand {
    /// `notifications/cancelled` for a call whose reply was dropped.
    Cancel(Badge, RequestId),
    /// The end of a session.
    Delete(Badge),
}

/// The queue of errands, and the number of tasks that run them.
#[derive(Default)]
pub(super) struct Errands(Mutex<State>);

#[derive(Default)]
struct State {
    queue: VecDeque<Errand>,
    running: usize,
}

impl Errands {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// How many tasks there are, and how many errands wait for them.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.running, state.queue.len())
    }
}

/// One of the tasks that run errands. It counts until it finds the queue empty, or is dropped, even with its
/// runtime.
struct Runner {
    shared: Arc<Shared>,
    is_counted: bool,
}

impl Runner {
    /// Creates a runner that was counted already.
    fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), is_counted: true }
    }

    fn next(&mut self) -> Option<Errand> {
        let mut state = self.shared.errands.state();
        let errand = state.queue.pop_front();
        if errand.is_none() {
            // Under the lock: whoever has an errand after it starts another task.
            self.is_counted = false;
            state.running -= 1;
        }
        errand
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if self.is_counted {
            self.shared.errands.state().running -= 1;
        }
    }
}

impl Shared {
    /// Runs an errand in the background. Without a runtime, or when there are far too many errands, it is dropped:
    /// the upstream will notice by itself.
    pub(super) fn run(self: &Arc<Self>, errand: Errand) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut state = self.errands.state();
        if state.queue.len() >= limits::ERRANDS {
            tracing::debug!(upstream = %self.http.endpoint().origin(), "too many sessions end at once; one is left to expire");
            return;
        }
        match errand {
            // A cancellation saves work, while a session's end can wait.
            Errand::Cancel(..) => state.queue.push_front(errand),
            Errand::Delete(_) => state.queue.push_back(errand),
        }
        if state.running < limits::ERRANDS_AT_ONCE {
            state.running += 1;
            drop(state);
            // A runtime that is ending drops it at once.
            runtime.spawn(Arc::clone(self).run_all(Runner::new(self), Ending::new(self)));
        }
    }

    async fn run_all(self: Arc<Self>, mut runner: Runner, _ending: Ending) {
        while let Some(errand) = runner.next() {
            let done = match errand {
                Errand::Cancel(badge, id) => {
                    tokio::time::timeout(limits::CLOSE, self.cancel(&badge, &id)).await
                }
                Errand::Delete(badge) => tokio::time::timeout(limits::CLOSE, self.delete(&badge)).await,
            };
            if done.is_err() {
                tracing::debug!(upstream = %self.http.endpoint().origin(), "no answer to a cancellation or a session's end");
            }
        }
    }

    /// "To cancel, the client **SHOULD** explicitly send an MCP `CancelledNotification`." (2025-11-25,
    /// basic/transports)
    async fn cancel(&self, badge: &Badge, id: &RequestId) {
        let message = Message::cancellation_of(id, "the client has gone away");
        let outbound = Outbound {
            method: Method::POST,
            headers: || {
                let mut headers = self.headers.clone();
                badge.put_on(&mut headers);
                headers
            },
            message: Some(&message),
            purpose: Purpose::Call,
        };
        if let Ok(response) = self.http.send(outbound).await {
            response.body.let_go();
        }
    }

    /// "Clients that no longer need a particular session [...] **SHOULD** send an HTTP DELETE" (2025-11-25,
    /// basic/transports, Session Management). The server "**MAY** respond to this request with HTTP 405".
    pub(super) async fn delete(&self, badge: &Badge) {
        let outbound = Outbound {
            method: Method::DELETE,
            headers: || {
                let mut headers = headers::without_body(self.headers.clone(), None);
                badge.put_on(&mut headers);
                headers
            },
            message: None,
            purpose: Purpose::Call,
        };
        if let Ok(response) = self.http.send(outbound).await {
            response.body.let_go();
        }
    }
}

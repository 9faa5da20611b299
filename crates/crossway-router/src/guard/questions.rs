//! Open questions of a server: while its client has to answer, a call's idle time does not run.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crossway_proto::{Message, RequestId};
use crossway_service::{CallError, Reply};
use futures_core::Stream;
use tokio::time::Instant;

use crate::limits::{ANSWER_TIME, OPEN_QUESTIONS};

/// The unanswered requests of a server on one line.
#[derive(Default)]
pub(super) struct Questions(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// The ids of the requests, and when they were sent.
    open: VecDeque<(RequestId, Instant)>,
    /// When a request was last answered.
    answered: Option<Instant>,
}

/// Whose answer a server waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The client's, which may take until then.
    Client(Instant),
    /// Nobody's, since then if it waited before.
    Nobody(Option<Instant>),
}

impl Questions {
    /// Records a message to the server.
    pub(super) fn sent(&self, message: &Message) {
        if message.is_response()
            && let Some(id) = message.id()
        {
            self.close(&[id]);
        }
    }

    /// Returns whose answer the server waits for.
    pub(super) fn awaits(&self) -> Awaits {
        let table = self.table();
        let now = Instant::now();
        let times = table.open.iter().map(|(_, asked)| *asked + ANSWER_TIME);
        match times.filter(|until| *until > now).max() {
            Some(until) => Awaits::Client(until),
            None => Awaits::Nobody(table.answered),
        }
    }

    fn open(&self, id: RequestId) {
        let mut table = self.table();
        if table.open.len() >= OPEN_QUESTIONS {
            table.open.pop_front();
        }
        table.open.push_back((id, Instant::now()));
    }

    /// Removes requests that nobody will answer any more.
    fn close(&self, ids: &[RequestId]) {
        let mut table = self.table();
        let before = table.open.len();
        table.open.retain(|(id, _)| !ids.contains(id));
        if table.open.len() < before {
            table.answered = Some(Instant::now());
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Each step leaves it consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The questions asked in one reply. They are closed when it is dropped.
pub(super) struct Asked {
    on: Arc<Questions>,
    ids: Vec<RequestId>,
}

impl Asked {
    pub(super) fn new(on: &Arc<Questions>) -> Self {
        Self { on: Arc::clone(on), ids: Vec::new() }
    }

    /// Records a message from the server. Returns whether it is a question to the client; a ping is not, as it is answered at once.
    pub(super) fn hears(&mut self, message: &Message) -> bool {
        if message.is_request() && !message.is_method("ping") {
            let Some(id) = message.id() else { return false };
            self.on.open(id.clone());
            if self.ids.len() < OPEN_QUESTIONS {
                self.ids.push(id);
            }
            return true;
        }
        if message.is_method("notifications/cancelled")
            && let Some(id) = message.cancelled_id()
        {
            self.on.close(&[id]);
        }
        false
    }

    /// Returns whose answer the server waits for.
    pub(super) fn awaits(&self) -> Awaits {
        self.on.awaits()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.ids.is_empty() {
            self.on.close(&self.ids);
        }
    }
}

/// Records the questions in a reply outside of calls.
pub(super) fn noted(reply: Reply, on: &Arc<Questions>) -> Reply {
    Reply::stream(Noted { reply, asked: Asked::new(on) })
}

struct Noted {
    reply: Reply,
    asked: Asked,
}

impl Stream for Noted {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.reply).poll_next(cx);
        if let Poll::Ready(Some(Ok(message))) = &next {
            self.asked.hears(message);
        }
        next
    }
}

//! Open questions of a server: while its client has to answer, a call's idle time does not run.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use crossway_proto::{Message, RequestId};
use crossway_service::{CallError, Reply};
use futures_core::Stream;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::limits::{ANSWER_TIME, OPEN_QUESTIONS};

/// The unanswered requests of a server on one line.
#[derive(Default)]
pub(super) struct Questions {
    /// The number of requests so far.
    count: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: VecDeque<Question>,
    /// When a request was last answered.
    answered: Option<Instant>,
}

struct Question {
    id: RequestId,
    /// How many requests came before it.
    number: u64,
    asked: Instant,
}

/// Whose answer a server waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The client's, which may take until then.
    Client(Instant),
    /// Nobody's; since then, if it waited before.
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

    /// Returns whose answer the server waits for, of its requests from this number on.
    fn awaits(&self, from: u64) -> Awaits {
        let table = self.table();
        let now = Instant::now();
        let open = table.open.iter().filter(|question| question.number >= from);
        let times = open.map(|question| question.asked + ANSWER_TIME);
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
        let number = self.count.fetch_add(1, Ordering::AcqRel);
        table.open.push_back(Question { id, number, asked: Instant::now() });
    }

    /// Removes requests that nobody will answer any more.
    fn close(&self, ids: &[RequestId]) {
        let mut table = self.table();
        let before = table.open.len();
        table.open.retain(|question| !ids.contains(&question.id));
        if table.open.len() < before {
            table.answered = Some(Instant::now());
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }
}

/// The questions asked in one reply. They are closed when it is dropped.
pub(super) struct Asked {
    on: Arc<Questions>,
    /// The number of requests that the server had sent before the call. Its client leaves those unanswered,
    /// or the server does not wait for them, so they are no reason to wait longer for this call.
    before: u64,
    ids: Vec<RequestId>,
}

impl Asked {
    pub(super) fn new(on: &Arc<Questions>) -> Self {
        let mut asked = Self { on: Arc::clone(on), before: 0, ids: Vec::new() };
        asked.call_is_sent();
        asked
    }

    /// The call is about to be sent, maybe again: only questions from now on can be about it.
    pub(super) fn call_is_sent(&mut self) {
        self.before = self.on.count.load(Ordering::Acquire);
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

    /// Returns whose answer the server waits for before it can answer the call.
    pub(super) fn awaits(&self) -> Awaits {
        self.on.awaits(self.before)
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

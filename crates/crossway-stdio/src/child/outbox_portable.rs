//! The same queue for systems where pipes can't be written without blocking: the connection's driver writes all lines.
//!
//! Compiled for Windows, but never run there.

use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossway_proto::{CallKey, Calls, Message};
use crossway_service::{Reason, WakerSlot};
use parking_lot::{Mutex, MutexGuard};
use tokio::io::AsyncWrite;

use super::Stdin;
use crate::queue::{Line, Queue, cancelled_call};

/// Whether a message may be held back for a moment. Here, all messages wait for the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// Send now: the child has nothing else to do.
    Now,
    /// The child is busy.
    WithOthers,
}

/// The queue of lines to a child. Sending never waits, not even for the child to read.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The most bytes that may be queued.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    driver: WakerSlot,
    closed: Option<Reason>,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Queues a message.
    ///
    /// # Errors
    ///
    /// When the connection is closed, or too much is queued: the message was not accepted.
    pub(super) fn send(&self, message: &Message, _: Haste) -> Result<(), Reason> {
        let line = Line::new(message, Calls::<()>::key_of(message));
        let cancelled = cancelled_call(message);
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        if cancelled.is_some_and(|call| state.queue.remove(call)) {
            return Ok(());
        }
        if state.queue.bytes() >= self.limit && cancelled.is_none() {
            return Err(Reason::OverLimit("the MCP server does not read what it is sent".into()));
        }
        state.queue.push(line);
        state.driver.wake();
        Ok(())
    }

    /// Refuses all further messages with `reason`. Returns the calls whose requests were never sent.
    pub(super) fn close(&self, reason: Reason) -> HashSet<CallKey> {
        let mut state = self.state();
        state.closed.get_or_insert(reason);
        state.driver.wake();
        std::mem::take(&mut state.queue).unsent().collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed.is_some()
    }

    /// Writes queued lines until the outbox is closed.
    ///
    /// # Errors
    ///
    /// When the child has closed its stdin.
    pub(super) async fn drive(&self, mut stdin: Stdin) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_drive(&mut stdin, cx)).await
    }

    fn poll_drive(&self, stdin: &mut Stdin, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if state.closed.is_some() {
            return Poll::Ready(Ok(()));
        }
        state.driver.register(cx.waker());
        ready!(state.queue.poll_write(stdin, cx))?;
        ready!(Pin::new(stdin).poll_flush(cx))?;
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

//! The way out to a child: what fits into its pipe is written at once, by whoever sends it; the rest waits for the
//! connection's driver.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crossway_proto::{CallKey, Calls, Message};
use crossway_service::Reason;

use super::pipe::{Pipe, SHORT};
use crate::queue::{Line, Queue, Written, cancelled_call};

/// The lines on their way to a child. Sending never waits, and never for reading.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The most bytes that wait.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    turn: Turn,
    pipe: Option<Arc<Pipe>>,
    driver: Option<Waker>,
    closed: Option<Reason>,
}

/// Whose turn it is to write. The others queue, so that one write takes the lines of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nobody writes, and nothing waits.
    Free,
    /// A sender is writing.
    Sender,
    /// The pipe is full, or not there yet: the driver writes when it has room.
    Driver,
    /// The child has closed its stdin. What comes waits for the end, which tells it as not sent.
    Broken(io::ErrorKind),
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        let state =
            State { queue: Queue::default(), turn: Turn::Driver, pipe: None, driver: None, closed: None };
        Self { limit, state: Mutex::new(state) }
    }

    /// Takes a message.
    ///
    /// # Errors
    ///
    /// When the connection is closed, or when too much waits: the message was not taken.
    pub(super) fn send(&self, message: &Message) -> Result<(), Reason> {
        let cancelled = cancelled_call(message);
        // What is short is made a line only if it has to wait; what is long, before anybody waits for the lock.
        let line = || Line::new(message, Calls::<()>::key_of(message));
        let long = (message.len() > SHORT).then(line);
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        if let (Turn::Free, Some(pipe)) = (state.turn, &state.pipe) {
            let pipe = Arc::clone(pipe);
            state.turn = Turn::Sender;
            if long.is_none() {
                drop(state);
                if pipe.try_write_short(message) {
                    self.write_as_sender(self.state(), &pipe);
                    return Ok(());
                }
                state = self.state();
                if let Some(reason) = &state.closed {
                    return Err(reason.clone());
                }
            }
            state.queue.push_front(long.unwrap_or_else(line));
            self.write_as_sender(state, &pipe);
            return Ok(());
        }
        if cancelled.is_some_and(|call| state.queue.remove(call)) {
            // The child will never have heard of the call.
            return Ok(());
        }
        // A cancellation is small, comes once for a call, and may be what makes the child read again.
        if state.queue.bytes() >= self.limit && cancelled.is_none() {
            return Err(Reason::OverLimit("the MCP server does not read what it is sent".into()));
        }
        state.queue.push(long.unwrap_or_else(line));
        Ok(())
    }

    /// Gives the outbox its pipe; [`drive`](Self::drive) has to be polled from then on.
    pub(super) fn open(&self, pipe: Arc<Pipe>) {
        let mut state = self.state();
        if state.closed.is_none() {
            state.pipe = Some(pipe);
        }
    }

    /// Refuses all that comes from now on with `reason`, and lets go of the pipe. Tells the calls whose requests
    /// never left.
    pub(super) fn close(&self, reason: Reason) -> HashSet<CallKey> {
        let mut state = self.state();
        state.closed.get_or_insert(reason);
        state.pipe = None;
        state.wake_driver();
        std::mem::take(&mut state.queue).unsent().collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed.is_some()
    }

    /// Writes what senders could not, until the outbox is closed.
    ///
    /// # Errors
    ///
    /// When the child has closed its stdin.
    pub(super) async fn drive(&self, pipe: Arc<Pipe>) -> io::Result<()> {
        while std::future::poll_fn(|cx| self.poll_turn(cx)).await? {
            match self.write(self.state(), &pipe)? {
                Written::All => {}
                // Reading has its turn.
                Written::InPart => tokio::task::yield_now().await,
                Written::UntilFull => {
                    let mut writable = std::pin::pin!(pipe.writable());
                    let room = std::future::poll_fn(|cx| match self.poll_closed(cx) {
                        Poll::Ready(()) => Poll::Ready(Ok(())),
                        Poll::Pending => writable.as_mut().poll(cx),
                    });
                    room.await?;
                }
            }
        }
        Ok(())
    }

    /// Writes what waits, and leaves the rest to the driver.
    fn write_as_sender<'a>(&'a self, state: MutexGuard<'a, State>, pipe: &Pipe) {
        // An error is the driver's to tell.
        if !matches!(self.write(state, pipe), Ok(Written::All)) {
            self.state().wake_driver();
        }
    }

    /// Writes what waits, for whoever's turn it is; then it is the driver's, or nobody's if nothing is left.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>, pipe: &Pipe) -> io::Result<Written> {
        let mut written = Ok(Written::All);
        if !state.queue.is_empty() {
            let mut taken = std::mem::take(&mut state.queue);
            drop(state);
            written = taken.write(|slices| pipe.try_write(slices));
            state = self.state();
            state.give_back(taken);
        }
        // Lines may have come meanwhile.
        if matches!(written, Ok(Written::All)) && !state.queue.is_empty() {
            written = Ok(Written::InPart);
        }
        state.turn = match &written {
            Ok(Written::All) => Turn::Free,
            Ok(_) => Turn::Driver,
            Err(error) => Turn::Broken(error.kind()),
        };
        written
    }

    /// Ready with true when the driver is to write, with false once the outbox is closed.
    fn poll_turn(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut state = self.state();
        match state.turn {
            _ if state.closed.is_some() => Poll::Ready(Ok(false)),
            Turn::Driver => Poll::Ready(Ok(true)),
            Turn::Broken(kind) => Poll::Ready(Err(kind.into())),
            Turn::Free | Turn::Sender => state.wait(cx),
        }
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.closed.is_some() { Poll::Ready(()) } else { state.wait(cx) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole lines behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give_back(&mut self, taken: Queue) {
        if self.closed.is_none() {
            self.queue.put_back(taken);
        }
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        match &mut self.driver {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn wake_driver(&mut self) {
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }
}

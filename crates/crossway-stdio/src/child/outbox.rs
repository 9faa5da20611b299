//! Queue of lines to a child: a sender writes at once what fits into the pipe; the connection's driver writes the rest.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossway_proto::{CallKey, Calls, Message};
use crossway_service::{Reason, WakerSlot};
use parking_lot::{Mutex, MutexGuard};

use super::pipe::{Pipe, SHORT};
use crate::queue::{Line, Queue, Written, cancelled_call};

/// The queue of lines to a child. Sending never waits, not even for the child to read.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The most bytes that may be queued.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    turn: Turn,
    pipe: Option<Arc<Pipe>>,
    driver: WakerSlot,
    closed: Option<Reason>,
}

/// Whether a message may be held back for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// Send now: the child has nothing else to do.
    Now,
    /// The child is busy, so one write, and one wake-up of the child, may do for this message and for those that others
    /// are about to send.
    WithOthers,
}

/// Who may write now. Everybody else queues lines, so that one write takes those of many senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nobody writes, and the queue is empty.
    Free,
    /// A sender is writing.
    Sender,
    /// Queued lines wait for others to be sent with them: the driver writes after all ready tasks have had their turn.
    Gathering,
    /// The pipe is full or not open yet: the driver writes when there is room.
    Driver,
    /// The child has closed its stdin. Further lines stay queued until the end, which reports them as not sent.
    Broken(io::ErrorKind),
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        let state = State {
            queue: Queue::default(),
            turn: Turn::Driver,
            pipe: None,
            driver: WakerSlot::default(),
            closed: None,
        };
        Self { limit, state: Mutex::new(state) }
    }

    /// Sends or queues a message.
    ///
    /// # Errors
    ///
    /// When the connection is closed, or too much is queued: the message was not accepted.
    pub(super) fn send(&self, message: &Message, haste: Haste) -> Result<(), Reason> {
        let cancelled = cancelled_call(message);
        // A short message is encoded only if it has to be queued; a long one before taking the lock.
        let line = || Line::new(message, Calls::<()>::key_of(message));
        let long = (message.len() > SHORT).then(line);
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        let may_wait = haste == Haste::WithOthers && long.is_none();
        if may_wait && state.turn == Turn::Free {
            state.queue.push(line());
            state.turn = Turn::Gathering;
            state.driver.wake();
            return Ok(());
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
            // The child will never see the call.
            return Ok(());
        }
        // A cancellation is small, comes once for a call, and may be what makes the child read again.
        if state.queue.bytes() >= self.limit && cancelled.is_none() {
            return Err(Reason::OverLimit("the MCP server does not read what it is sent".into()));
        }
        state.queue.push(long.unwrap_or_else(line));
        Ok(())
    }

    /// Sets the outbox's pipe; [`drive`](Self::drive) has to be polled from then on.
    pub(super) fn open(&self, pipe: Arc<Pipe>) {
        let mut state = self.state();
        if state.closed.is_none() {
            state.pipe = Some(pipe);
        }
    }

    /// Refuses all further messages with `reason`, and drops the pipe. Returns the calls whose requests were never
    /// sent.
    pub(super) fn close(&self, reason: Reason) -> HashSet<CallKey> {
        let mut state = self.state();
        state.closed.get_or_insert(reason);
        state.pipe = None;
        state.driver.wake();
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
            if self.takes_over() {
                // Lets all ready tasks run first: those that have something to send do it now.
                tokio::task::yield_now().await;
            }
            match self.write(self.state(), &pipe)? {
                Written::All => {}
                // Gives reading a turn.
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

    /// Writes queued lines, and leaves the rest to the driver.
    fn write_as_sender<'a>(&'a self, state: MutexGuard<'a, State>, pipe: &Pipe) {
        // The driver reports errors.
        if !matches!(self.write(state, pipe), Ok(Written::All)) {
            self.state().driver.wake();
        }
    }

    /// Writes queued lines, in the caller's turn. The next turn is the driver's, or nobody's if nothing is left.
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

    /// Ready with `true` when the driver is to write, and with `false` once the outbox is closed.
    fn poll_turn(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut state = self.state();
        match state.turn {
            _ if state.closed.is_some() => Poll::Ready(Ok(false)),
            Turn::Driver | Turn::Gathering => Poll::Ready(Ok(true)),
            Turn::Broken(kind) => Poll::Ready(Err(kind.into())),
            Turn::Free | Turn::Sender => state.wait(cx),
        }
    }

    /// Gives the driver the turn to write lines that were held back. Returns whether there are any.
    fn takes_over(&self) -> bool {
        let mut state = self.state();
        let was_gathering = state.turn == Turn::Gathering;
        if was_gathering {
            state.turn = Turn::Driver;
        }
        was_gathering
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.closed.is_some() { Poll::Ready(()) } else { state.wait(cx) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn give_back(&mut self, taken: Queue) {
        if self.closed.is_none() {
            self.queue.put_back(taken);
        }
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.driver.register(cx.waker());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use bytes::Bytes;
    use crossway_testkit::{message, settle};

    use super::*;

    fn request(id: u32) -> Message {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#);
        message(text)
    }

    /// An open outbox with its driver, and the child's end of the pipe.
    fn outbox() -> (Arc<Outbox>, std::fs::File) {
        let (child, ours) = rustix::pipe::pipe().unwrap();
        rustix::io::ioctl_fionbio(&child, true).unwrap();
        let (outbox, pipe) = (Arc::new(Outbox::new(1 << 20)), Arc::new(Pipe::new(ours).unwrap()));
        outbox.open(Arc::clone(&pipe));
        let driven = Arc::clone(&outbox);
        tokio::task::spawn(async move { driven.drive(pipe).await });
        (outbox, child.into())
    }

    /// The ids of the messages that the child can read now.
    fn ids(child: &mut std::fs::File) -> Vec<u64> {
        let mut text = vec![0; 4096];
        let read = child.read(&mut text).unwrap_or(0);
        let lines = text[..read].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let parse = |line| Message::parse(Bytes::copy_from_slice(line), &crossway_proto::Limits::default());
        lines.map(|line| parse(line).unwrap().id().unwrap().as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn what_may_wait_goes_out_with_what_others_send_meanwhile_and_in_order() {
        let (outbox, mut child) = outbox();
        settle().await;
        for (id, haste) in [(1, Haste::WithOthers), (2, Haste::WithOthers), (3, Haste::Now)] {
            outbox.send(&request(id), haste).unwrap();
            assert_eq!(ids(&mut child), [0; 0], "before the others had their turn");
        }
        settle().await;
        assert_eq!(ids(&mut child), [1, 2, 3]);
        outbox.send(&request(4), Haste::Now).unwrap();
        assert_eq!(ids(&mut child), [4], "at once: nothing waits any more");
    }

    #[tokio::test]
    async fn what_is_held_back_when_the_connection_closes_was_not_sent() {
        let (outbox, mut child) = outbox();
        settle().await;
        outbox.send(&request(7), Haste::WithOthers).unwrap();
        let unsent = outbox.close(Reason::Closing);
        settle().await;
        assert_eq!(unsent.len(), 1);
        assert_eq!(ids(&mut child), [0; 0]);
    }
}

//! In-process pipes of messages, for tests and for embedding servers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossway_proto::Message;
use parking_lot::{Mutex, MutexGuard};

use crate::mux::{Mux, Outlet, Overflow};
use crate::{Extensions, Limits, Link, Reason, WakerSlot};

/// Two ends of a pipe: what is sent into one comes out of the other, in order.
///
/// `capacity` is how many messages may be on their way in each direction, and [`Limits::PIPE_BYTES`] how many bytes.
#[must_use]
pub fn pair(capacity: usize) -> (End, End) {
    let (there, back) = (Lane::new(capacity), Lane::new(capacity));
    (
        End { outgoing: Arc::clone(&there), incoming: Arc::clone(&back) },
        End { outgoing: back, incoming: there },
    )
}

/// One end of a pipe. The pipe ends when either end is dropped.
pub struct End {
    outgoing: Arc<Lane>,
    incoming: Arc<Lane>,
}

struct Lane {
    capacity: usize,
    state: Mutex<LaneState>,
}

#[derive(Default)]
struct LaneState {
    messages: VecDeque<(Message, Extensions)>,
    bytes: usize,
    is_closed: bool,
    receiver: WakerSlot,
    /// Who waits for room.
    senders: Vec<Waker>,
}

impl Lane {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock()
    }

    fn send(&self, message: Message, extensions: Extensions) -> Result<(), Reason> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Reason::Ended("the pipe is closed".into()));
        }
        if state.is_full(self.capacity) {
            return Err(Reason::OverLimit("the pipe is full".into()));
        }
        state.bytes += message.len();
        state.messages.push_back((message, extensions));
        state.receiver.wake();
        Ok(())
    }

    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Option<(Message, Extensions)>> {
        let mut state = self.state();
        if let Some(next) = state.messages.pop_front() {
            state.bytes -= next.0.len();
            state.senders.drain(..).for_each(Waker::wake);
            return Poll::Ready(Some(next));
        }
        if state.is_closed {
            return Poll::Ready(None);
        }
        state.receiver.register(cx.waker());
        Poll::Pending
    }

    fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.receiver.wake();
        state.senders.drain(..).for_each(Waker::wake);
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.is_closed || !state.is_full(self.capacity) {
            return Poll::Ready(());
        }
        if !state.senders.iter().any(|sender| sender.will_wake(cx.waker())) {
            state.senders.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl LaneState {
    fn is_full(&self, capacity: usize) -> bool {
        self.messages.len() >= capacity || self.bytes >= Limits::PIPE_BYTES
    }
}

impl End {
    /// Sends a message.
    ///
    /// # Errors
    ///
    /// When the pipe is closed or full.
    pub fn send(&self, message: Message) -> Result<(), Reason> {
        self.outgoing.send(message, Extensions::new())
    }

    /// Sends a message, after waiting for room.
    ///
    /// # Cancel safety
    ///
    /// A future of this that is dropped may or may not have sent the message.
    ///
    /// # Errors
    ///
    /// When the pipe is closed.
    pub async fn send_when_ready(&self, message: Message) -> Result<(), Reason> {
        loop {
            std::future::poll_fn(|cx| self.outgoing.poll_room(cx)).await;
            match self.send(message.clone()) {
                Err(Reason::OverLimit(_)) => {}
                done => return done,
            }
        }
    }

    /// The next message from the other end; `None` once the pipe has ended.
    pub fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.incoming.poll_receive(cx).map(|next| next.map(|(message, _)| message))
    }

    /// The next message from the other end; `None` once the pipe has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future of this that is dropped has taken no message.
    pub async fn receive(&self) -> Option<Message> {
        std::future::poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// As [`receive`](End::receive), with the extensions of the [call](crate::Context) that a request is.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a future of this that is dropped has taken no message.
    pub async fn receive_with_extensions(&self) -> Option<(Message, Extensions)> {
        std::future::poll_fn(|cx| self.incoming.poll_receive(cx)).await
    }

    /// Whether the pipe has ended on either side; what was sent before may still be received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.outgoing.state().is_closed || self.incoming.state().is_closed
    }

    /// A connection over this end, for a server at the other one. The future carries the messages; spawn it, or
    /// poll it beside the link's replies. It ends with the pipe.
    pub fn connect(self, limits: Limits) -> (Link, impl Future<Output = ()> + Send + 'static) {
        self.connect_with(limits, Overflow::Hold)
    }

    /// As [`connect`](End::connect), with what happens when the reader of a reply does not keep up.
    pub fn connect_with(
        self,
        limits: Limits,
        overflow: Overflow,
    ) -> (Link, impl Future<Output = ()> + Send + 'static) {
        let mux = Mux::new(PipeOutlet(Arc::clone(&self.outgoing)), limits, overflow);
        let link = mux.link();
        let carry = async move {
            std::future::poll_fn(|cx| {
                loop {
                    std::task::ready!(mux.poll_capacity(cx));
                    match std::task::ready!(self.poll_receive(cx)) {
                        Some(message) => mux.accept(message),
                        None => return Poll::Ready(()),
                    }
                }
            })
            .await;
            mux.end(Reason::Ended("the pipe was closed".into()), |_| false);
        };
        (link, carry)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.close();
        self.incoming.close();
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

struct PipeOutlet(Arc<Lane>);

impl Outlet for PipeOutlet {
    fn send(&self, message: Message) -> Result<(), Reason> {
        self.0.send(message, Extensions::new())
    }

    fn send_request(&self, message: Message, context: crate::Context) -> Result<(), Reason> {
        self.0.send(message, context.extensions)
    }

    fn hang_up(&self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Message {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{"x":"{}"}}}}"#, "x".repeat(bytes));
        Message::parse(text.into(), &crossway_proto::Limits::default()).unwrap()
    }

    #[test]
    fn a_pipe_is_full_when_its_bytes_are_too_many() {
        let (ours, theirs) = pair(usize::MAX);
        let large = message(1 << 20);
        let most = Limits::PIPE_BYTES.div_ceil(large.len());
        for _ in 0..most {
            ours.send(large.clone()).unwrap();
        }
        assert!(matches!(ours.send(message(0)), Err(Reason::OverLimit(_))));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(theirs.poll_receive(&mut cx).is_ready());
        ours.send(message(0)).unwrap();
    }

    #[tokio::test]
    async fn one_who_waits_for_room_is_noted_once() {
        let (ours, theirs) = pair(1);
        ours.send(message(0)).unwrap();
        let mut waiting = Box::pin(ours.send_when_ready(message(0)));
        std::future::poll_fn(|cx| {
            for _ in 0..3 {
                assert!(waiting.as_mut().poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(ours.outgoing.state().senders.len(), 1);
        assert!(theirs.receive().await.is_some());
        waiting.await.unwrap();
        assert!(theirs.receive().await.is_some());
    }
}

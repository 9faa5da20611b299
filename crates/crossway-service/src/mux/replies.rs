//! Replies of a mux, which read its state when they are polled.

use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_proto::{CallKey, Calls, Message};
use futures_core::Stream;

use super::state::{End, Waiting};
use super::{Mux, Outlet};
use crate::{CallError, Reason};

/// The reply to a request.
pub(super) struct Answer<O: Outlet> {
    mux: Mux<O>,
    key: CallKey,
    /// "The `initialize` request **MUST NOT** be cancelled by clients" (2025-11-25, basic/utilities/cancellation).
    is_initialize: bool,
    is_over: bool,
}

impl<O: Outlet> Answer<O> {
    pub(super) fn new(mux: Mux<O>, key: CallKey, is_initialize: bool) -> Self {
        Self { mux, key, is_initialize, is_over: false }
    }
}

impl<O: Outlet> Stream for Answer<O> {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let key = self.key;
        let mut state = self.mux.state();
        let Some(waiting) = state.calls.state_mut(key) else { return Poll::Ready(None) };
        if let Some(message) = waiting.queue.pop() {
            state.capacity.wake();
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = waiting.end.take() else {
            waiting.waker.register(cx.waker());
            return Poll::Pending;
        };
        state.calls.close(key);
        drop(state);
        self.is_over = true;
        Poll::Ready(match end {
            End::Answered(answer) => Some(*answer),
            End::Cancelled => None,
        })
    }
}

impl<O: Outlet> Drop for Answer<O> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.mux.state();
        let closed = state.calls.close(self.key);
        state.capacity.wake();
        let is_open = state.ended.is_none() && closed.is_some_and(|waiting| waiting.end.is_none());
        drop(state);
        if is_open && !self.is_initialize {
            let cancellation = Calls::<Waiting>::cancellation(self.key, "the client has gone away");
            let _ = self.mux.0.outlet.send(cancellation);
        }
    }
}

/// The reply to [`Ask::Listen`](crate::Ask::Listen).
pub(super) struct Listening<O: Outlet> {
    mux: Mux<O>,
    number: u64,
    is_over: bool,
}

impl<O: Outlet> Listening<O> {
    pub(super) fn new(mux: Mux<O>) -> Self {
        let number = mux.state().listeners.enter();
        Self { mux, number, is_over: false }
    }
}

impl<O: Outlet> Stream for Listening<O> {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut state = self.mux.state();
        if state.listeners.is_newest(self.number)
            && let Some(message) = state.unowned.pop()
        {
            state.capacity.wake();
            return Poll::Ready(Some(Ok(message)));
        }
        if let Some(reason) = state.refusal(false) {
            drop(state);
            self.is_over = true;
            return Poll::Ready(match reason {
                Reason::Closing => None,
                reason => Some(Err(CallError::unknown(reason))),
            });
        }
        state.listeners.wait(self.number, cx.waker());
        Poll::Pending
    }
}

impl<O: Outlet> Drop for Listening<O> {
    fn drop(&mut self) {
        let mut state = self.mux.state();
        state.listeners.leave(self.number);
        state.capacity.wake();
    }
}

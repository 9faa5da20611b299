//! Lets an in-process upstream close the response stream of its own call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;

/// Closes the response stream of a call while the call continues: the client reconnects for the answer.
///
/// "The server **MAY** close the _connection_ (without terminating the _SSE stream_) at any time in order to avoid
/// holding a long-lived connection" (2025-11-25, basic/transports). With [`Config::stream_control`] set, the context of each
/// call of a session has one in its extensions, for an upstream or a layer.
///
/// [`Config::stream_control`]: crate::server::Config::stream_control
#[derive(Clone)]
pub struct StreamControl(Arc<Control>);

#[derive(Default)]
struct Control {
    is_closed: AtomicBool,
    waker: AtomicWaker,
}

impl StreamControl {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Closes the stream. Later messages are kept, and sent when the client reconnects with `Last-Event-ID`.
    ///
    /// Without effect after the answer, and while the client has no event id to reconnect with: in revisions before
    /// 2025-11-25 there is none until the first message.
    pub fn close_stream(&self) {
        self.0.is_closed.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Whether the stream was asked to close; if not, wakes `cx` when it is.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> bool {
        if !self.0.is_closed.load(Ordering::Acquire) {
            self.0.waker.register(cx.waker());
        }
        self.0.is_closed.load(Ordering::Acquire)
    }
}

impl fmt::Debug for StreamControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamControl").field("is_closed", &self.0.is_closed).finish()
    }
}

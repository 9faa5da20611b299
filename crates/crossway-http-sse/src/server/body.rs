//! Response bodies: an event stream or text.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossway_proto::Slices;
use crossway_proto::sse::SseEncoder;
use crossway_service::later;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::session::Session;
use crate::limits::ServerLimits;

/// The body of a response of [`HttpSse`](super::HttpSse).
///
/// A session's stream lives in its body: the session advances when the body is polled, and ends when it is dropped.
#[derive(Debug)]
pub struct Body(Inner);

#[derive(Debug)]
enum Inner {
    Text(Bytes),
    Events(Box<Events>),
}

impl Body {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self(Inner::Text(text.into()))
    }

    /// A session's stream. `endpoint` is the URI for its messages, up to the session id.
    pub(super) fn events(session: Arc<Session>, endpoint: &str) -> Self {
        // The config has checked that paths contain nothing that an event can't.
        let endpoint = SseEncoder::endpoint(&format!("{endpoint}{}", session.id())).unwrap_or_default();
        let keep_alive = session.limits().keep_alive;
        Self(Inner::Events(Box::new(Events {
            session,
            ready: [endpoint].into_iter().collect(),
            is_over: false,
            keep_alive,
            last: Instant::now(),
            timer: None,
        })))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(match &mut self.0 {
            Inner::Text(text) if text.is_empty() => None,
            Inner::Text(text) => Some(Ok(Frame::data(std::mem::take(text)))),
            Inner::Events(events) => ready!(events.poll_next(cx)).map(|piece| Ok(Frame::data(piece))),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Inner::Text(text) if text.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Text(text) => SizeHint::with_exact(text.len() as u64),
            Inner::Events(_) => SizeHint::default(),
        }
    }
}

/// A session's stream.
struct Events {
    session: Arc<Session>,
    /// Encoded data that was not taken yet.
    ready: Slices,
    is_over: bool,
    keep_alive: std::time::Duration,
    /// When something was last sent.
    last: Instant,
    /// Created with the first silence. Messages don't reset it: when it fires too early, it is rescheduled.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Events {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ready.is_empty() && !self.is_over {
            self.gather(cx);
        }
        if !self.ready.is_empty() {
            self.last = Instant::now();
            let length = self.ready.chunk().len();
            return Poll::Ready(Some(self.ready.copy_to_bytes(length)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        ready!(self.poll_silence(cx));
        Poll::Ready(Some(SseEncoder::keep_alive()))
    }

    /// Encodes the messages that are ready: small ones in one piece, a large one unchanged.
    fn gather(&mut self, cx: &mut Context<'_>) {
        let mut small = BytesMut::new();
        let mut large = None;
        while large.is_none() && small.len() < ServerLimits::COALESCED_BYTES {
            match self.session.poll_next(cx) {
                Poll::Ready(Some(message)) => {
                    let event = SseEncoder::message(message.chunks());
                    if event.len() <= ServerLimits::COALESCED_BYTES {
                        small.reserve(event.len());
                        small.put(event);
                    } else {
                        large = Some(event);
                    }
                }
                Poll::Ready(None) => {
                    self.is_over = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        let large = large.unwrap_or_default();
        self.ready = std::iter::once(small.freeze()).chain(large.iter().cloned()).collect();
    }

    /// Ready after a silence of `keep_alive`.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(later(self.last, self.keep_alive))));
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            let is_silent = now >= later(self.last, self.keep_alive);
            if is_silent {
                self.last = now;
            }
            timer.as_mut().reset(later(self.last, self.keep_alive));
            if is_silent {
                // The next poll registers the timer.
                return Poll::Ready(());
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.session.end();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("ready", &self.ready.len())
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

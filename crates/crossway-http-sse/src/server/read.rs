//! Reads a request body within bounds.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossway_service::later;
use http_body::Body;
use tokio::time::{Instant, Sleep};

use crate::limits::ServerLimits;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFault {
    /// The body is longer than allowed.
    TooLong,
    /// The body did not arrive in time.
    TooSlow,
    /// The body broke off.
    Broken,
}

/// Reads a body to its end.
///
/// A refused body is read too, and discarded: closing the connection while data still arrives would reset it, and lose the
/// refusal.
#[pin_project::pin_project]
pub(super) struct ReadBody<B> {
    #[pin]
    body: B,
    first: Bytes,
    whole: BytesMut,
    limit: usize,
    is_refused: bool,
    /// How many more bytes are discarded.
    discards: usize,
    stall: Duration,
    patience: Duration,
    /// Created only when the body is not there at once, which is rare.
    clock: Option<Clock>,
}

struct Clock {
    timer: Pin<Box<Sleep>>,
    last: Instant,
    end: Instant,
}

impl<B: Body> ReadBody<B> {
    /// Reads a body within these limits. A client that waits for `100 Continue` has not sent its body yet: there is nothing to discard.
    pub(super) fn new(body: B, limits: &ServerLimits, expects_continue: bool) -> Self {
        let is_refused = body.size_hint().lower() > limits.message.message_bytes as u64;
        Self {
            body,
            first: Bytes::new(),
            whole: BytesMut::new(),
            limit: limits.message.message_bytes,
            is_refused,
            discards: if expects_continue { 0 } else { ServerLimits::DISCARDED_BYTES },
            stall: limits.body_stall,
            patience: limits.body,
            clock: None,
        }
    }

    /// Discards the body.
    pub(super) fn refused(mut self) -> Self {
        self.is_refused = true;
        self
    }
}

impl<B: Body> Future for ReadBody<B> {
    type Output = Result<Bytes, BodyFault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if *this.is_refused && *this.discards == 0 {
                return Poll::Ready(Err(BodyFault::TooLong));
            }
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(BodyFault::Broken)),
                Poll::Ready(None) if *this.is_refused => return Poll::Ready(Err(BodyFault::TooLong)),
                Poll::Ready(None) if this.whole.is_empty() => {
                    return Poll::Ready(Ok(std::mem::take(this.first)));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(std::mem::take(this.whole).freeze())),
                Poll::Pending => {
                    let clock = this.clock.get_or_insert_with(|| Clock::start(*this.stall, *this.patience));
                    ready!(clock.poll(*this.stall, cx));
                    return Poll::Ready(Err(BodyFault::TooSlow));
                }
            };
            let Ok(mut data) = frame.into_data() else { continue };
            if let Some(clock) = this.clock {
                clock.last = Instant::now();
            }
            let length = this.first.len().max(this.whole.len()) + data.remaining();
            if *this.is_refused || length > *this.limit {
                *this.is_refused = true;
                *this.discards = this.discards.saturating_sub(data.remaining());
                (*this.first, *this.whole) = (Bytes::new(), BytesMut::new());
            } else if length == data.remaining() {
                // Most bodies arrive in one piece, which is passed on without a copy.
                *this.first = data.copy_to_bytes(length);
            } else {
                if this.whole.is_empty() {
                    // Beyond the data that has arrived, only this much is reserved in advance.
                    let announced = usize::try_from(this.body.size_hint().lower()).unwrap_or(usize::MAX);
                    this.whole.reserve(length + announced.min(ServerLimits::RESERVED_BYTES));
                    this.whole.put(std::mem::take(this.first));
                }
                this.whole.put(data);
            }
        }
    }
}

impl Clock {
    fn start(stall: Duration, patience: Duration) -> Self {
        let now = Instant::now();
        Self {
            timer: Box::pin(tokio::time::sleep(stall.min(patience))),
            last: now,
            end: later(now, patience),
        }
    }

    /// Ready when the body is too slow. New data does not reset the timer: when it fires too early, it is rescheduled.
    fn poll(&mut self, stall: Duration, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let due = later(self.last, stall).min(self.end);
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }
}

//! Reads a request body within bounds.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use tokio::time::{Instant, Sleep};

use crate::limits::ServerLimits;

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFault {
    /// It has more bytes than allowed.
    TooLong,
    /// It did not come in time.
    TooSlow,
    /// It broke off.
    Broken,
}

/// Reads a body to its end.
///
/// A body that is refused is read, too, and thrown away: a connection that is closed under what still comes is reset,
/// and the refusal is lost.
#[pin_project::pin_project]
pub(super) struct ReadBody<B> {
    #[pin]
    body: B,
    first: Bytes,
    whole: BytesMut,
    limit: usize,
    is_refused: bool,
    /// How much more is thrown away.
    discards: usize,
    stall: Duration,
    patience: Duration,
    /// Set up when the body is not there at once, as it nearly always is.
    clock: Option<Clock>,
}

struct Clock {
    timer: Pin<Box<Sleep>>,
    last: Instant,
    end: Instant,
}

impl<B: Body> ReadBody<B> {
    /// Reads a body within these limits. A client that waits to be told to go on has sent nothing yet: its body is
    /// not thrown away, it is not asked for.
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

    /// Throws the body away, whatever it is.
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
                // Most bodies come in one piece, which is then passed on as it is.
                *this.first = data.copy_to_bytes(length);
            } else {
                if this.whole.is_empty() {
                    // What came vouches for no more than this.
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
        Self { timer: Box::pin(tokio::time::sleep(stall.min(patience))), last: now, end: now + patience }
    }

    /// Ready when the body is too slow. The timer is not set anew with each piece: when it fires too early, it is
    /// put off.
    fn poll(&mut self, stall: Duration, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let due = (self.last + stall).min(self.end);
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }
}

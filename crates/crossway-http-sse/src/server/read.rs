//! A POST's body, read within bounds.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
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
#[pin_project::pin_project]
pub(super) struct ReadBody<B> {
    #[pin]
    body: B,
    first: Bytes,
    whole: BytesMut,
    limit: usize,
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
    pub(super) fn new(body: B, limits: &ServerLimits) -> Self {
        Self {
            body,
            first: Bytes::new(),
            whole: BytesMut::new(),
            limit: limits.message.message_bytes,
            stall: limits.body_stall,
            patience: limits.body,
            clock: None,
        }
    }
}

impl<B: Body> Future for ReadBody<B> {
    type Output = Result<Bytes, BodyFault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(BodyFault::Broken)),
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
            if this.first.len().max(this.whole.len()) + data.remaining() > *this.limit {
                return Poll::Ready(Err(BodyFault::TooLong));
            }
            if let Some(clock) = this.clock {
                clock.last = Instant::now();
            }
            if this.first.is_empty() && this.whole.is_empty() {
                // Most bodies come in one piece, which is then passed on as it is.
                *this.first = data.copy_to_bytes(data.remaining());
            } else {
                if this.whole.is_empty() {
                    let expected = usize::try_from(this.body.size_hint().lower()).unwrap_or(0);
                    this.whole.reserve(this.first.len() + data.remaining() + expected.min(*this.limit));
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

/// Whether a request says that its body is over the limit, so that none of it has to be read.
pub(super) fn says_too_long(headers: &HeaderMap, limit: usize) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    // A number that does not parse is the HTTP server's to refuse, or above 2^64.
    length.is_some_and(|length| length.parse::<u64>().map_or(true, |length| length > limit as u64))
}

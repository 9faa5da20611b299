//! Reads a request body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossway_service::later;
use http_body::Body;
use pin_project::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::BODY_RESERVE;

/// Collects a body, up to a limit, as long as it makes progress. A body in one piece is not copied.
#[pin_project]
pub(crate) struct Intake<B> {
    #[pin]
    body: B,
    first: Bytes,
    rest: BytesMut,
    limit: usize,
    /// Nothing is kept: the body is read to its end only so that the answer is not lost when the connection is reset under the
    /// remaining data.
    is_refused: bool,
    /// The most bytes that may still be read and thrown away.
    budget: usize,
    idle: Duration,
    /// Set once the body has to be waited for.
    #[pin]
    timer: Option<Sleep>,
    has_progressed: bool,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntakeError {
    /// The body is longer than allowed.
    TooLong,
    /// No data came for too long.
    Stalled,
    /// The body ended too early.
    Broken,
}

impl<B: Body<Data: Buf>> Intake<B> {
    /// Reads up to `limit` bytes; a longer body is read and thrown away, up to `budget` bytes.
    pub(crate) fn new(body: B, limit: usize, budget: usize, idle: Duration) -> Self {
        let is_refused = body.size_hint().lower() > limit as u64;
        let (first, rest) = (Bytes::new(), BytesMut::new());
        Self { body, first, rest, limit, is_refused, budget, idle, timer: None, has_progressed: false }
    }

    /// Throws the body away, whatever its length.
    pub(crate) fn refused(mut self) -> Self {
        self.is_refused = true;
        self
    }

    /// Polls for the whole body.
    pub(crate) fn poll_collect(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, IntakeError>> {
        loop {
            if self.is_refused && self.budget == 0 {
                return Poll::Ready(Err(IntakeError::TooLong));
            }
            let data = ready!(self.as_mut().poll_data(cx))?;
            let this = self.as_mut().project();
            let Some(mut data) = data else {
                let whole = if this.rest.is_empty() {
                    std::mem::take(this.first)
                } else {
                    std::mem::take(this.rest).freeze()
                };
                return Poll::Ready(if *this.is_refused { Err(IntakeError::TooLong) } else { Ok(whole) });
            };
            let len = this.first.len() + this.rest.len();
            if *this.is_refused || data.remaining() > *this.limit - len {
                *this.is_refused = true;
                *this.budget = this.budget.saturating_sub(data.remaining());
                (*this.first, *this.rest) = (Bytes::new(), BytesMut::new());
            } else if len == 0 {
                *this.first = data.copy_to_bytes(data.remaining());
                if this.body.is_end_stream() {
                    return Poll::Ready(Ok(std::mem::take(this.first)));
                }
            } else {
                if this.rest.is_empty() {
                    let announced = usize::try_from(this.body.size_hint().lower()).unwrap_or(usize::MAX);
                    this.rest.reserve(len + data.remaining() + announced.min(BODY_RESERVE));
                    this.rest.extend_from_slice(&std::mem::take(this.first));
                }
                this.rest.put(data);
            }
        }
    }

    /// Polls for the next piece, `None` at the end.
    fn poll_data(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<B::Data>, IntakeError>> {
        let mut this = self.project();
        loop {
            match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    *this.has_progressed = true;
                    match frame.into_data() {
                        Ok(data) => return Poll::Ready(Ok(Some(data))),
                        // Trailers, which MCP does not use.
                        Err(_) => continue,
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(IntakeError::Broken)),
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Pending => {}
            }
            if this.timer.is_none() {
                this.timer.set(Some(sleep_until(later(Instant::now(), *this.idle))));
                *this.has_progressed = false;
            }
            let Some(mut timer) = this.timer.as_mut().as_pin_mut() else { return Poll::Pending };
            ready!(timer.as_mut().poll(cx));
            if !std::mem::take(this.has_progressed) {
                return Poll::Ready(Err(IntakeError::Stalled));
            }
            timer.reset(later(Instant::now(), *this.idle));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http_body::Frame;

    use super::*;

    /// A body in pieces; it stays open if `is_open`.
    struct Pieces {
        pieces: VecDeque<Bytes>,
        is_open: bool,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.pieces.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None if self.is_open => Poll::Pending,
                None => Poll::Ready(None),
            }
        }

        fn is_end_stream(&self) -> bool {
            self.pieces.is_empty() && !self.is_open
        }
    }

    async fn collect(pieces: &[&'static str], is_open: bool) -> Result<Bytes, IntakeError> {
        let pieces = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        let mut intake = Box::pin(Intake::new(Pieces { pieces, is_open }, 8, 16, Duration::from_secs(30)));
        std::future::poll_fn(|cx| intake.as_mut().poll_collect(cx)).await
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let piece = Bytes::from(b"12345678".to_vec());
        let pieces = Pieces { pieces: VecDeque::from([piece.clone()]), is_open: false };
        let mut intake = Box::pin(Intake::new(pieces, 8, 16, Duration::from_secs(30)));
        let whole = std::future::poll_fn(|cx| intake.as_mut().poll_collect(cx)).await.unwrap();
        assert_eq!(whole.as_ptr(), piece.as_ptr());
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_joined() {
        assert_eq!(collect(&["12", "", "34", "5"], false).await.unwrap(), "12345");
        assert_eq!(collect(&[], false).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_read_to_its_end_and_refused() {
        assert_eq!(collect(&["1234", "56789", "1"], false).await, Err(IntakeError::TooLong));
        assert_eq!(collect(&["123456789"], false).await, Err(IntakeError::TooLong));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_an_end_is_not_read_for_ever() {
        let start = Instant::now();
        assert_eq!(
            collect(&["1234", "56789", "1234567890", "123456"], true).await,
            Err(IntakeError::TooLong)
        );
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let start = Instant::now();
        assert_eq!(collect(&["12"], true).await, Err(IntakeError::Stalled));
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }
}

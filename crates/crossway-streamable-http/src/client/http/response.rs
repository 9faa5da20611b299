//! A response with its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossway_service::later;
use http::response::Parts;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::http1::Http1;
use super::http2::Place;
use super::pool::Pool;
use crate::client::limits;

/// A response whose body was not read yet.
pub(in crate::client) struct Response {
    pub(in crate::client) head: Parts,
    pub(in crate::client) body: ResponseBody,
}

/// A response's body with its connection.
///
/// Dropping it before its end closes an HTTP/1.1 connection, and resets an HTTP/2 stream. Read to its end, the
/// connection goes back to the pool.
pub(in crate::client) struct ResponseBody {
    incoming: Incoming,
    /// `None` for HTTP/2, and once the connection went back to the pool.
    wire: Option<Box<Http1>>,
    /// The place on an HTTP/2 connection, which is released after the stream.
    _place: Option<Place>,
    pool: Arc<Pool>,
    idle: Option<Idle>,
}

/// The idle timeout. Most bodies come with their heads, and need no timer.
struct Idle {
    limit: Duration,
    /// `None` until the body has to be waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(in crate::client) enum BodyError {
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    #[error("nothing came for {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("it has more than {0} bytes")]
    TooLong(usize),
}

impl ResponseBody {
    pub(super) fn on_http1(
        incoming: Incoming,
        wire: Box<Http1>,
        pool: Arc<Pool>,
        read_idle: Option<Duration>,
    ) -> Self {
        let idle = read_idle.map(|limit| Idle { limit, timer: None });
        Self { incoming, wire: Some(wire), _place: None, pool, idle }
    }

    pub(super) fn on_http2(
        incoming: Incoming,
        place: Place,
        pool: Arc<Pool>,
        read_idle: Option<Duration>,
    ) -> Self {
        let idle = read_idle.map(|limit| Idle { limit, timer: None });
        Self { incoming, wire: None, _place: Some(place), pool, idle }
    }

    /// Polls for the next bytes; `None` at the end.
    pub(in crate::client) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let frame = match poll_frame(&mut self.incoming, self.wire.as_deref_mut(), cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return self.poll_idle(cx),
            };
            if let Some(Idle { limit, timer: Some(timer) }) = &mut self.idle {
                timer.as_mut().reset(later(Instant::now(), *limit));
            }
            match frame {
                None => {
                    self.recycle(cx);
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }

    /// Reads the whole body. A body that comes in one piece is not copied.
    pub(in crate::client) async fn collect(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        let announced = self.incoming.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(BodyError::TooLong(limit));
        }
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(data) = std::future::poll_fn(|cx| self.poll_data(cx)).await {
            let data = data?;
            let length = first.len() + whole.len() + data.len();
            if length > limit {
                return Err(BodyError::TooLong(limit));
            }
            if length == data.len() {
                first = data;
                continue;
            }
            if whole.is_empty() {
                whole.reserve(announced.unwrap_or(0).min(limits::BODY_RESERVE).max(length));
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&data);
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }

    /// Releases a body of which nothing more is needed, though it may not have ended. The connection is kept if the end
    /// comes soon.
    pub(in crate::client) fn let_go(mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        if let Some(mut wire) = self.wire.take() {
            if !is_over(&mut self.incoming, &mut wire, &mut cx) {
                self.pool.put(wire, Some(self.incoming));
            } else if wire.is_ready(&mut cx) {
                self.pool.put(wire, None);
            }
        }
    }

    fn recycle(&mut self, cx: &mut Context<'_>) {
        if let Some(mut wire) = self.wire.take()
            && wire.is_ready(cx)
        {
            self.pool.put(wire, None);
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(Idle { limit, timer }) = &mut self.idle else { return Poll::Pending };
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(*limit)));
        timer.as_mut().poll(cx).map(|()| Some(Err(BodyError::Silent(*limit))))
    }
}

type Frame = Option<Result<http_body::Frame<Bytes>, hyper::Error>>;

fn poll_frame(incoming: &mut Incoming, wire: Option<&mut Http1>, cx: &mut Context<'_>) -> Poll<Frame> {
    let Some(wire) = wire else { return Pin::new(incoming).poll_frame(cx) };
    // Only driving the connection, as here, yields frames, so no waker is needed.
    let mut unwoken = Context::from_waker(Waker::noop());
    if let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(&mut unwoken) {
        return Poll::Ready(frame);
    }
    wire.drive(cx);
    Pin::new(incoming).poll_frame(&mut unwoken)
}

/// Whether a response that nobody reads any more has ended. Skips a few frames to find out.
pub(super) fn is_over(rest: &mut Incoming, wire: &mut Http1, cx: &mut Context<'_>) -> bool {
    const FRAMES: usize = 4;
    for _ in 0..FRAMES {
        match poll_frame(rest, Some(wire), cx) {
            Poll::Ready(None | Some(Err(_))) => return true,
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Pending => return false,
        }
    }
    false
}

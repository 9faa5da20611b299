//! HTTP bodies as chains of slices, so that a large text is sent without a copy.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use smallvec::SmallVec;

/// A message as a chain of slices: head, text, tail.
pub(crate) type Slices = SmallVec<[Bytes; 3]>;

/// A body of known length that is written slice by slice.
#[derive(Debug)]
pub(crate) struct Chunks {
    slices: smallvec::IntoIter<[Bytes; 3]>,
    left: u64,
}

impl From<Slices> for Chunks {
    fn from(slices: Slices) -> Self {
        let left = slices.iter().map(|slice| slice.len() as u64).sum();
        Self { slices: slices.into_iter(), left }
    }
}

impl From<Bytes> for Chunks {
    fn from(bytes: Bytes) -> Self {
        let mut slices = Slices::new();
        if !bytes.is_empty() {
            slices.push(bytes);
        }
        slices.into()
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.slices.next();
        if let Some(slice) = &next {
            self.left -= slice.len() as u64;
        }
        Poll::Ready(next.map(|slice| Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The body is longer than allowed.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection broke off, or the framing is wrong.
    #[error("the body could not be read to its end")]
    Broken(#[from] hyper::Error),
}

/// Reads a whole body; one that arrives in a single frame is not copied.
pub(crate) async fn read_whole(mut body: Incoming, limit: usize) -> Result<Bytes, ReadError> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if first.len().max(whole.len()) + data.len() > limit {
            return Err(ReadError::TooLong { limit });
        }
        if whole.is_empty() && first.is_empty() {
            first = data;
            if body.is_end_stream() {
                break;
            }
            continue;
        }
        if whole.is_empty() {
            let known = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(limit);
            whole.reserve(first.len() + data.len() + known);
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

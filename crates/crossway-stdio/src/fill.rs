//! Reads bytes into a line decoder.

use std::io;
use std::task::{Context, Poll};

use crossway_proto::line::LineDecoder;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads once, directly into the decoder's buffer, and releases the buffer if there is nothing to read, so that a quiet
/// connection holds no memory. Ready with 0 at the end.
pub(crate) fn poll_fill<R: AsyncRead + Unpin>(
    reader: &mut R,
    lines: &mut LineDecoder,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let read = std::pin::pin!(reader.read_buf(lines.buffer())).poll(cx);
    if read.is_pending() {
        lines.release();
    }
    read
}

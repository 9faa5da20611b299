//! Reads bytes into a line decoder.

use std::io;
use std::task::{Context, Poll};

use crossway_proto::line::LineDecoder;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads once, straight into the decoder's buffer, and gives the buffer back where there is nothing to read: a
/// connection that has gone quiet holds no memory. Ready with 0 at the end.
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

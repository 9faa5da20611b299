//! A queue of lines to write.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;
use crossway_proto::{CallKey, Kind, Message, Slices, line};
use smallvec::SmallVec;

use crate::limits::SLICES_PER_WRITE;

/// A message to be written, as a line.
#[derive(Debug)]
pub(crate) struct Line {
    left: Slices,
    /// The call, if the line is a request.
    call: Option<CallKey>,
    is_begun: bool,
}

impl Line {
    pub(crate) fn new(message: &Message, call: Option<CallKey>) -> Self {
        Self { left: line::encode_message(message), call, is_begun: false }
    }

    pub(crate) fn from_slices(slices: Slices) -> Self {
        Self { left: slices, call: None, is_begun: false }
    }
}

/// The result of writing.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    All,
    /// The writer is full.
    UntilFull,
    /// The writer may have room, but other tasks have to have their turn.
    InPart,
}

/// Lines in order, written with few vectored writes and no copy.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn push(&mut self, line: Line) {
        self.bytes += line.left.len();
        self.lines.push_back(line);
    }

    #[cfg(unix)]
    pub(crate) fn push_front(&mut self, line: Line) {
        self.bytes += line.left.len();
        self.lines.push_front(line);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The number of queued bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts lines back in front of those that were queued meanwhile.
    #[cfg(unix)]
    pub(crate) fn put_back(&mut self, mut earlier: Self) {
        earlier.bytes += self.bytes;
        earlier.lines.append(&mut self.lines);
        *self = earlier;
    }

    /// Removes the request of a call, if no byte of it was written. Returns whether it was removed.
    pub(crate) fn remove(&mut self, call: CallKey) -> bool {
        let found = self.lines.iter().position(|line| line.call == Some(call) && !line.is_begun);
        let Some(line) = found.and_then(|at| self.lines.remove(at)) else { return false };
        self.bytes -= line.left.len();
        true
    }

    /// The calls of which no byte was written.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = CallKey> + '_ {
        self.lines.iter().filter(|line| !line.is_begun).filter_map(|line| line.call)
    }

    /// The slices for the next vectored write.
    pub(crate) fn slices(&self) -> SmallVec<[IoSlice<'_>; SLICES_PER_WRITE]> {
        let slices = self.lines.iter().flat_map(|line| line.left.iter());
        slices.take(SLICES_PER_WRITE).map(|slice| IoSlice::new(slice)).collect()
    }

    /// Removes bytes that were written.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(line) = self.lines.front_mut().filter(|_| written > 0) {
            line.is_begun = true;
            let part = written.min(line.left.len());
            line.left.advance(part);
            written -= part;
            if line.left.is_empty() {
                self.lines.pop_front();
            }
        }
        // A quiet connection holds no memory.
        if self.lines.is_empty() && self.lines.capacity() > SLICES_PER_WRITE {
            self.lines = VecDeque::new();
        }
    }

    /// Writes until everything is written, the writer is full, or other tasks have to have their turn.
    #[cfg(unix)]
    pub(crate) fn write(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Written> {
        for _ in 0..crate::limits::WRITES_IN_A_ROW {
            if self.is_empty() {
                return Ok(Written::All);
            }
            let written = write(&self.slices());
            match written {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Written::UntilFull),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Written::InPart)
    }

    /// Writes until everything is written.
    pub(crate) fn poll_write<W: tokio::io::AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = std::pin::Pin::new(&mut *writer).poll_write_vectored(cx, &self.slices());
            match std::task::ready!(written) {
                Ok(0) => return std::task::Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(written) => self.advance(written),
                Err(error) => return std::task::Poll::Ready(Err(error)),
            }
        }
        std::task::Poll::Ready(Ok(()))
    }
}

/// Returns the call that a message cancels.
pub(crate) fn cancelled_call(message: &Message) -> Option<CallKey> {
    let is_cancellation =
        message.kind() == Kind::Notification && message.is_method("notifications/cancelled");
    message.cancelled_id().filter(|_| is_cancellation).and_then(|id| CallKey::from_id(&id))
}

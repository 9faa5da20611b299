//! The decoder of server-sent events.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use super::SseEvent;
use super::block::{Block, Verdict};

/// Reads an event stream. Does no I/O: feed it bytes, then take the events.
///
/// An event that arrives in one piece with its data on one line is a slice of that piece; nothing is copied.
/// Each byte is searched once, however the bytes are cut. Lines end with `\n`, `\r\n` or `\r`.
///
/// Between events, only the last event id is kept.
pub struct SseDecoder {
    /// What was fed last.
    chunk: Bytes,
    /// How much of it was read.
    at: usize,
    /// The start of a line that has not ended yet.
    partial: BytesMut,
    block: Block,
    max_data: usize,
    /// Whether the current line is ignored.
    ignoring_line: bool,
    /// Whether the current event is too large.
    dropping: bool,
    /// Whether a `\n` that comes next belongs to the `\r` before it, and ends no line.
    after_cr: bool,
    /// Whether this is the first line, where a byte order mark may be.
    in_first_line: bool,
    last_event_id: Vec<u8>,
    retry: Option<u64>,
}

impl SseDecoder {
    /// Creates a decoder that refuses events with more than `max_data` bytes of data.
    #[must_use]
    pub fn new(max_data: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            at: 0,
            partial: BytesMut::new(),
            block: Block::default(),
            max_data,
            ignoring_line: false,
            dropping: false,
            after_cr: false,
            in_first_line: true,
            last_event_id: Vec::new(),
            retry: None,
        }
    }

    /// Adds a piece of the stream.
    ///
    /// Take all [events](Self::next_event) before the next call; otherwise the rest is copied.
    pub fn feed(&mut self, chunk: Bytes) {
        let left = &self.chunk[self.at..];
        self.chunk = if left.is_empty() { chunk } else { Bytes::from([left, &chunk].concat()) };
        self.at = 0;
    }

    /// The next event; `None` when more of the stream is needed.
    ///
    /// Comments, unknown fields and blocks without data give no event.
    ///
    /// # Errors
    ///
    /// When an event has more data than allowed, or a type of more than [`FIELD_BYTES`](super::FIELD_BYTES).
    /// It is reported once, and dropped with its id. The events after it are not affected.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, EventTooLarge> {
        loop {
            if self.at == self.chunk.len() {
                self.chunk = Bytes::new();
                self.at = 0;
                return Ok(None);
            }
            if std::mem::take(&mut self.after_cr) && self.chunk[self.at] == b'\n' {
                self.at += 1;
                continue;
            }
            let start = self.at;
            let Some(length) = memchr2(b'\n', b'\r', &self.chunk[start..]) else {
                self.at = self.chunk.len();
                self.hold(start)?;
                continue;
            };
            let end = start + length;
            self.after_cr = self.chunk[end] == b'\r';
            self.at = end + 1;
            if let Some(event) = self.read_line(start, end)? {
                return Ok(Some(event));
            }
        }
    }

    /// Records that the stream has ended. Returns whether an event was cut off, which is lost.
    ///
    /// "Once the end of the file is reached, any pending data must be discarded." (WHATWG HTML, 9.2.6)
    ///
    /// The decoder is then ready for the stream that resumes this one: the [last event
    /// id](Self::last_event_id) and [`retry`](Self::retry) stay.
    pub fn finish(&mut self) -> bool {
        let cut_off = self.is_within_event();
        let fresh = Self::new(self.max_data);
        let last_event_id = std::mem::take(&mut self.last_event_id);
        *self = Self { last_event_id, retry: self.retry, ..fresh };
        cut_off
    }

    /// Whether the bytes so far end within an event.
    #[must_use]
    pub fn is_within_event(&self) -> bool {
        self.dropping || self.block.has_begun() || !self.partial.is_empty() || self.at < self.chunk.len()
    }

    /// The id to send as `Last-Event-ID` when the stream is resumed.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&[u8]> {
        (!self.last_event_id.is_empty()).then_some(&self.last_event_id)
    }

    /// Sets the last event id of the stream that is read next; empty for a new stream.
    pub fn set_last_event_id(&mut self, id: Vec<u8>) {
        self.last_event_id = id;
    }

    /// The pause before connecting again that the server set last, in milliseconds.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// Reads the line that ends in the chunk at `end`. The part that is not in `partial` begins at `start`.
    fn read_line(&mut self, start: usize, end: usize) -> Result<Option<SseEvent>, EventTooLarge> {
        if std::mem::take(&mut self.ignoring_line) {
            self.in_first_line = false;
            return Ok(None);
        }
        let joined;
        let (text, start, end) = if self.partial.is_empty() {
            (&self.chunk, start, end)
        } else {
            self.partial.extend_from_slice(&self.chunk[start..end]);
            joined = std::mem::take(&mut self.partial).freeze();
            (&joined, 0, joined.len())
        };
        let start = start + self.byte_order_mark(&text[start..end]);
        self.in_first_line = false;
        if start == end {
            return Ok(self.dispatch());
        }
        if self.dropping {
            return Ok(None);
        }
        let verdict = self.block.verdict(&text[start..end], self.max_data);
        if verdict == Verdict::Keep {
            self.block.add(text, start..end);
            self.retry = self.block.retry.or(self.retry);
        }
        // Data lines without a value add newlines, which the start of a line does not show.
        if verdict == Verdict::TooLarge || self.block.len() > self.max_data {
            let error = EventTooLarge::new(self.max_data, self.block.head(&text[start..end]));
            self.drop_event();
            return Err(error);
        }
        Ok(None)
    }

    /// Ends the event: an empty line has come.
    fn dispatch(&mut self) -> Option<SseEvent> {
        let block = std::mem::take(&mut self.block);
        if std::mem::take(&mut self.dropping) {
            return None;
        }
        if let Some(id) = &block.id {
            self.last_event_id.clear();
            self.last_event_id.extend_from_slice(id);
        }
        block.into_event()
    }

    /// Keeps the rest of the chunk, a part of a line.
    fn hold(&mut self, start: usize) -> Result<(), EventTooLarge> {
        if self.dropping || self.ignoring_line {
            self.ignoring_line = true;
            return Ok(());
        }
        self.partial.extend_from_slice(&self.chunk[start..]);
        let line = self.byte_order_mark(&self.partial);
        match self.block.verdict(&self.partial[line..], self.max_data) {
            Verdict::Keep => Ok(()),
            Verdict::Ignore => {
                self.ignoring_line = true;
                self.partial = BytesMut::new();
                Ok(())
            }
            Verdict::TooLarge => {
                self.ignoring_line = true;
                let error = EventTooLarge::new(self.max_data, self.block.head(&self.partial[line..]));
                self.drop_event();
                Err(error)
            }
        }
    }

    /// The length of the mark at the start of this line.
    fn byte_order_mark(&self, line: &[u8]) -> usize {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.in_first_line && line.starts_with(MARK) { MARK.len() } else { 0 }
    }

    fn drop_event(&mut self) {
        self.dropping = true;
        self.block = Block::default();
        self.partial = BytesMut::new();
    }
}

impl fmt::Debug for SseDecoder {
    /// Shows how much is held, and never what: payloads must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseDecoder")
            .field("held", &(self.block.len() + self.partial.len()))
            .field("max_data", &self.max_data)
            .field("dropping", &self.dropping)
            .finish_non_exhaustive()
    }
}

/// An event is larger than allowed. It is dropped, except for its head; the events after it are not affected.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {limit} bytes")]
#[non_exhaustive]
pub struct EventTooLarge {
    /// The limit that it exceeds.
    pub limit: usize,
    /// The data's first bytes, at most [`HEAD_BYTES`](Self::HEAD_BYTES). They may show which call it answers.
    pub head: Bytes,
}

impl EventTooLarge {
    /// 1 KiB: the id of a response is usually among its first members.
    pub const HEAD_BYTES: usize = 1024;

    fn new(limit: usize, data: &[u8]) -> Self {
        Self { limit, head: Bytes::copy_from_slice(&data[..data.len().min(Self::HEAD_BYTES)]) }
    }
}

impl fmt::Debug for EventTooLarge {
    /// Leaves out the head: payloads must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventTooLarge").field("limit", &self.limit).finish_non_exhaustive()
    }
}

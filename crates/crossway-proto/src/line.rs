//! The line codec: one message per line, as on stdio.
//!
//! "Messages are delimited by newlines, and **MUST NOT** contain embedded newlines." (2025-11-25, basic/transports,
//! stdio.)
//!
//! ```
//! use crossway_proto::line::LineDecoder;
//!
//! let mut decoder = LineDecoder::new(1 << 20);
//! // A reader reads straight into `decoder.buffer()`; this stands for two such reads.
//! decoder.feed(b"{\"jsonrpc\":\"2.0\",\"method\":\"no");
//! assert_eq!(decoder.next_line()?, None);
//! decoder.feed(b"tifications/initialized\"}\r\n");
//! let line = decoder.next_line()?.expect("a whole line");
//! assert_eq!(line, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
//! # Ok::<(), crossway_proto::line::LineTooLong>(())
//! ```

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2};

use crate::newline::without_newlines;
use crate::slices::COPIED;
use crate::{Message, Slices};

/// The room for a first read: some forty small messages, or one larger one.
const SMALLEST_READ: usize = 8 * 1024;
/// The most room for one read: as much as a full pipe holds, so that one read empties it.
const LARGEST_READ: usize = 64 * 1024;
/// A block larger than this is released once the lines in it were taken.
const LARGEST_KEPT: usize = 2 * LARGEST_READ;
/// After this many small reads in a row, the room shrinks.
const SMALL_READS: u8 = 16;
/// A line of at least this length gets a block of its own.
const LONG_LINE: usize = 16 * 1024;
/// The longest line for which a block is allocated before any of it has arrived. A small line may hold on to
/// such a block.
const LARGEST_EXPECTED: usize = 256 * 1024;
/// A long line is expected to be at most this many times as long as the part that has arrived.
const EXPECTED_GROWTH: usize = 8;
/// Room behind a long line, so that one read brings its end and the start of the next one.
const SLACK: usize = 4 * 1024;

/// Splits bytes into lines. Does no I/O: read into its [`buffer`](Self::buffer), then take the lines.
///
/// Lines are slices of the buffer; none is copied. Each byte is searched once, however the bytes are cut.
/// Empty lines and a byte order mark at the start are skipped; `\r\n` ends a line like `\n`.
///
/// A line over the limit is reported once and skipped; its end is available from
/// [`take_tail`](Self::take_tail). It does not affect the lines after it.
///
/// A line holds on to the block that it was read into (8 KiB and more) as long as it lives: copy a small one
/// that is kept for long.
pub struct LineDecoder {
    buffer: BytesMut,
    max_line: usize,
    /// The length of the buffer's start that has no newline.
    searched: usize,
    /// Whether the current line is too long.
    skipping: bool,
    /// The last bytes of the line that is being skipped, or was skipped last.
    skipped_tail: BytesMut,
    /// Whether no byte was taken yet: a byte order mark may come.
    at_start: bool,
    reads: ReadSize,
    /// The capacity of the buffer's block, as far as it is known.
    block: usize,
}

impl LineDecoder {
    /// Creates a decoder that refuses lines of more than `max_line` bytes, without their end.
    ///
    /// It holds at most about twice that while it waits for the end of a line.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            max_line,
            searched: 0,
            skipping: false,
            skipped_tail: BytesMut::new(),
            at_start: true,
            reads: ReadSize::default(),
            block: 0,
        }
    }

    /// The buffer to read into: append to it, and change nothing else.
    ///
    /// It has room for at least one good read. The room adapts to the size of the reads, doubles with a
    /// growing line, and fits lines as long as the previous ones at once, so that a big line is moved only a
    /// few times.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.reads.note(self.buffer.len());
        let room = self.buffer.capacity() - self.buffer.len();
        let wanted = self.reads.size;
        match self.reads.expected_rest(self.buffer.len()) {
            // A block for this line alone: reads end near its end, so that little of the next line has to be
            // moved.
            Some(rest) if room < rest => {
                let mut block = BytesMut::with_capacity(self.buffer.len() + rest);
                block.extend_from_slice(&self.buffer);
                self.replace_block(block);
            }
            None if room < wanted.div_ceil(4) => {
                self.buffer.reserve(wanted.max(self.buffer.len()));
                self.block = self.block.max(self.buffer.capacity());
            }
            _ => {}
        }
        self.reads.offer(self.buffer.len(), self.buffer.capacity());
        &mut self.buffer
    }

    /// Appends bytes by copying them.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// The next line, without its end; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// When a line is too long. It is reported once, and dropped.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, LineTooLong> {
        self.reads.note(self.buffer.len());
        if !self.skip_byte_order_mark() {
            return Ok(None);
        }
        loop {
            let searched = self.searched.min(self.buffer.len());
            let Some(at) = memchr(b'\n', &self.buffer[searched..]) else {
                self.searched = self.buffer.len();
                return self.await_more();
            };
            let line = self.buffer.split_to(searched + at + 1);
            self.searched = 0;
            self.reads.note_line(line.len());
            if std::mem::take(&mut self.skipping) {
                self.note_tail(&line);
                continue;
            }
            if let Some(line) = self.accept(line)? {
                return Ok(Some(line));
            }
        }
    }

    /// The remaining lines when no more bytes come; the last one may lack its end. Call it until it returns
    /// `None`: then the decoder is as new.
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line).
    pub fn finish(&mut self) -> Result<Option<Bytes>, LineTooLong> {
        if let Some(line) = self.next_line()? {
            return Ok(Some(line));
        }
        let rest = std::mem::take(&mut self.buffer);
        let skipping = self.skipping;
        *self = Self::new(self.max_line);
        if skipping { Ok(None) } else { self.accept(rest) }
    }

    /// The last bytes of a line that was too long, at most [`LineTooLong::TAIL_BYTES`], once it has ended.
    /// They may show which call it answers if its head does not. `None` if it has not ended, or if its tail
    /// was taken.
    pub fn take_tail(&mut self) -> Option<Bytes> {
        if self.skipping || self.skipped_tail.is_empty() {
            return None;
        }
        let mut tail = std::mem::take(&mut self.skipped_tail);
        while let Some(b'\n' | b'\r') = tail.last() {
            tail.truncate(tail.len() - 1);
        }
        Some(tail.freeze())
    }

    /// Releases the buffer's memory if it is empty: for a connection that has gone quiet.
    ///
    /// The next [`buffer`](Self::buffer) allocates as much as was used before.
    pub fn release(&mut self) {
        if self.buffer.is_empty() {
            self.replace_block(BytesMut::new());
        }
    }

    /// The number of bytes that wait for the rest of their line.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the bytes so far end within a line.
    #[must_use]
    pub fn is_within_line(&self) -> bool {
        self.skipping || !self.buffer.is_empty()
    }

    /// Returns false until enough bytes are there to recognise a mark.
    fn skip_byte_order_mark(&mut self) -> bool {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.at_start {
            if self.buffer.len() < MARK.len() && MARK.starts_with(&self.buffer) {
                return false;
            }
            self.at_start = false;
            if self.buffer.starts_with(MARK) {
                self.buffer.advance(MARK.len());
            }
        }
        true
    }

    fn begin_tail(&mut self, line: &[u8]) {
        self.skipped_tail.clear();
        self.note_tail(line);
    }

    /// Keeps the last bytes of a line that is skipped.
    fn note_tail(&mut self, more: &[u8]) {
        let more = &more[more.len().saturating_sub(LineTooLong::TAIL_BYTES)..];
        let surplus = (self.skipped_tail.len() + more.len()).saturating_sub(LineTooLong::TAIL_BYTES);
        self.skipped_tail.advance(surplus);
        self.skipped_tail.extend_from_slice(more);
    }

    /// Trims a whole line; `None` if it is blank.
    fn accept(&mut self, mut line: BytesMut) -> Result<Option<Bytes>, LineTooLong> {
        if line.last() == Some(&b'\n') {
            line.truncate(line.len() - 1);
        }
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.max_line {
            self.begin_tail(&line);
            return Err(LineTooLong::new(self.max_line, &line));
        }
        let blank = line.iter().all(u8::is_ascii_whitespace);
        Ok((!blank).then(|| line.freeze()))
    }

    /// Handles a buffer with nothing but the start of a line.
    fn await_more(&mut self) -> Result<Option<Bytes>, LineTooLong> {
        if self.skipping {
            let rest = std::mem::take(&mut self.buffer);
            self.note_tail(&rest);
            self.searched = 0;
            self.buffer = rest;
            self.buffer.clear();
        }
        let ends_in_cr = self.buffer.last() == Some(&b'\r');
        if self.buffer.len() - usize::from(ends_in_cr) > self.max_line {
            let error = LineTooLong::new(self.max_line, &self.buffer);
            let rest = std::mem::take(&mut self.buffer);
            self.begin_tail(&rest);
            self.skipping = true;
            self.searched = 0;
            self.replace_block(BytesMut::new());
            return Err(error);
        }
        if self.block > LARGEST_KEPT && self.buffer.len() <= self.block / 4 {
            self.replace_block(BytesMut::from(&self.buffer[..]));
        }
        Ok(None)
    }

    fn replace_block(&mut self, buffer: BytesMut) {
        self.block = buffer.capacity();
        self.buffer = buffer;
        self.reads.forget();
    }
}

impl fmt::Debug for LineDecoder {
    /// Shows how much is buffered, and never what: payloads must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineDecoder")
            .field("buffered", &self.buffer.len())
            .field("max_line", &self.max_line)
            .field("skipping", &self.skipping)
            .finish_non_exhaustive()
    }
}

/// The room for reads: it grows when they fill it and shrinks when they leave most of it.
#[derive(Debug)]
struct ReadSize {
    size: usize,
    small_reads: u8,
    /// The buffer's length and capacity when it was last handed out.
    offered: Option<(usize, usize)>,
    /// The length of the latest long lines.
    long_line: usize,
    /// The number of long lines in a row.
    long_lines: u8,
}

impl Default for ReadSize {
    fn default() -> Self {
        Self { size: SMALLEST_READ, small_reads: 0, offered: None, long_line: 0, long_lines: 0 }
    }
}

impl ReadSize {
    fn offer(&mut self, len: usize, capacity: usize) {
        self.offered = Some((len, capacity));
    }

    fn forget(&mut self) {
        self.offered = None;
    }

    fn note_line(&mut self, len: usize) {
        if len >= LONG_LINE {
            self.long_line = len.max(self.long_line - self.long_line / EXPECTED_GROWTH);
            self.long_lines = self.long_lines.saturating_add(1);
        } else {
            self.long_lines = 0;
        }
    }

    /// The expected rest of a line of which `len` bytes are there, if it is like the previous ones.
    fn expected_rest(&self, len: usize) -> Option<usize> {
        let is_one_of_many = self.long_lines >= 2 && self.long_line <= LARGEST_EXPECTED;
        let bound = if len < LONG_LINE { LARGEST_EXPECTED } else { len * EXPECTED_GROWTH };
        let whole = self.long_line.min(bound) + SLACK;
        (is_one_of_many || len >= LONG_LINE).then(|| whole.saturating_sub(len)).filter(|rest| *rest > 0)
    }

    fn note(&mut self, len: usize) {
        let Some((before, capacity)) = self.offered.take() else { return };
        if len >= capacity {
            self.size = (self.size * 2).min(LARGEST_READ);
            self.small_reads = 0;
        } else if len.saturating_sub(before) > self.size / 8 {
            self.small_reads = 0;
        } else if len > before {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS {
                self.size = (self.size / 2).max(SMALLEST_READ);
                self.small_reads = 0;
            }
        }
    }
}

/// A line has more bytes than allowed. It is dropped, except for its head; the lines after it are not
/// affected.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("a line has more than {limit} bytes")]
#[non_exhaustive]
pub struct LineTooLong {
    /// The limit that it exceeds.
    pub limit: usize,
    /// The line's first bytes, at most [`HEAD_BYTES`](Self::HEAD_BYTES). They may show which call it answers.
    pub head: Bytes,
}

impl LineTooLong {
    /// 1 KiB: the id of a response is usually among its first members.
    pub const HEAD_BYTES: usize = 1024;
    /// 64 bytes: enough for an id at the end, after the result, where JavaScript servers write it.
    pub const TAIL_BYTES: usize = 64;

    fn new(limit: usize, line: &[u8]) -> Self {
        Self { limit, head: Bytes::copy_from_slice(&line[..line.len().min(Self::HEAD_BYTES)]) }
    }
}

impl fmt::Debug for LineTooLong {
    /// Leaves out the head: payloads must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineTooLong").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// One message as a line: a chain of slices around the message's own, with `\n` at the end.
///
/// Nothing is copied, except where a slice has a newline: JSON allows them between tokens, a line does not, so each
/// `\n` and `\r` becomes a space.
///
/// ```
/// use bytes::Bytes;
/// use crossway_proto::line;
///
/// let line = line::encode([Bytes::from_static(b"{\r\n\"a\": "), Bytes::from_static(b"1}")]);
/// assert_eq!(line.into_bytes(), "{  \"a\": 1}\n");
/// ```
pub fn encode(message: impl IntoIterator<Item = Bytes>) -> Slices {
    let end = Bytes::from_static(b"\n");
    message.into_iter().map(|slice| without_newlines(slice, b" ")).chain([end]).collect()
}

/// A message as a line, as [`encode`] makes it from its chunks. A short message with splices is copied into
/// one piece, which costs less than keeping its slices apart.
#[must_use]
pub fn encode_message(message: &Message) -> Slices {
    let len = message.len();
    if len > COPIED || !message.is_edited() {
        return encode(message.chunks());
    }
    let mut line = Vec::with_capacity(len + 1);
    message.write_to(&mut line);
    if memchr2(b'\n', b'\r', &line).is_some() {
        return encode([Bytes::from(line)]);
    }
    line.push(b'\n');
    std::iter::once(Bytes::from(line)).collect()
}

#[cfg(test)]
mod tests;

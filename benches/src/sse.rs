//! A minimal parser of server-sent events, independent of how the bytes are split.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::limits::MAX_MESSAGE;

/// One event that carries data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The `event` field; `None` means `message`.
    pub(crate) name: Option<Bytes>,
    /// The `data` lines, joined by line feeds.
    pub(crate) data: Bytes,
}

/// An event is longer than a message may be.
#[derive(Debug, thiserror::Error)]
#[error("an event is longer than {MAX_MESSAGE} bytes")]
pub(crate) struct TooLong;

/// Splits a byte stream into events, in linear time however the bytes are split.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    searched: usize,
    name: Option<Bytes>,
    data: Option<BytesMut>,
    whole_data: Option<Bytes>,
}

impl Decoder {
    /// Adds bytes that were read from the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete event; `None` when more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLong> {
        loop {
            let Some(line) = self.next_line()? else { return Ok(None) };
            if line.is_empty() {
                let name = self.name.take();
                let data = self.whole_data.take().or_else(|| self.data.take().map(BytesMut::freeze));
                if let Some(data) = data {
                    return Ok(Some(Event { name, data }));
                }
                continue;
            }
            self.take_field(line);
        }
    }

    fn next_line(&mut self) -> Result<Option<Bytes>, TooLong> {
        let Some(offset) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return if self.buffer.len() > MAX_MESSAGE { Err(TooLong) } else { Ok(None) };
        };
        let mut line = self.buffer.split_to(self.searched + offset);
        self.buffer.advance(1);
        self.searched = 0;
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line.freeze()))
    }

    fn take_field(&mut self, line: Bytes) {
        let (field, mut value) = match memchr::memchr(b':', &line) {
            Some(0) => return,
            Some(colon) => (line.slice(..colon), line.slice(colon + 1..)),
            None => (line.clone(), Bytes::new()),
        };
        if value.first() == Some(&b' ') {
            value.advance(1);
        }
        match &field[..] {
            b"event" => self.name = Some(value),
            b"data" => self.take_data(value),
            _ => {}
        }
    }

    /// Adds a line of data. A single line, the usual case, is kept unchanged; several are joined.
    fn take_data(&mut self, value: Bytes) {
        if let Some(joined) = &mut self.data {
            joined.extend_from_slice(b"\n");
            joined.extend_from_slice(&value);
        } else if let Some(first) = self.whole_data.take() {
            let mut joined = BytesMut::from(&first[..]);
            joined.extend_from_slice(b"\n");
            joined.extend_from_slice(&value);
            self.data = Some(joined);
        } else {
            self.whole_data = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], step: usize) -> Vec<(Option<String>, String)> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for piece in bytes.chunks(step) {
            decoder.push(piece);
            while let Some(event) = decoder.next().unwrap() {
                let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
                events.push((event.name.as_ref().map(text), text(&event.data)));
            }
        }
        events
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let stream = b": hello\n\nevent: endpoint\r\ndata: /messages?a=b:c\r\n\r\nid: 1\ndata:{}\n\n\
                       data: a\ndata:  b\ndata\n\nretry: 5\n\ndata: last\n\ndata: cut";
        let expected = vec![
            (Some("endpoint".to_owned()), "/messages?a=b:c".to_owned()),
            (None, "{}".to_owned()),
            (None, "a\n b\n".to_owned()),
            (None, "last".to_owned()),
        ];
        for step in 1..stream.len() {
            assert_eq!(decode(stream, step), expected, "step {step}");
        }
    }
}

//! Fuzzes the codec of server-sent events.

use bytes::Bytes;
use crossway_proto::sse::{EventTooLarge, FIELD_BYTES, MESSAGE, SseDecoder, SseEncoder, SseEvent};

use super::input::{Input, cut};

/// Checks that events are those of a plain reading, however the bytes are cut; that limits hold; and that an encoded event decodes to the
/// same.
///
/// # Panics
///
/// When a check fails.
pub fn sse(data: &[u8]) {
    let mut input = Input::new(data);
    let (limit, seed) = (input.byte(), input.byte());
    let text = input.rest();
    let max_data = if limit == 0 { text.len() } else { usize::from(limit) };
    let expected = Reader::read(text, max_data);
    let mut cut_off = None;
    for (seed, held_back) in [(0, false), (1, false), (seed, false), (seed, true)] {
        let (found, was_cut_off) = decode(&cut(text, seed), max_data, held_back, &expected.heads);
        assert_eq!(found, expected.outcome, "in pieces of {seed}");
        assert_eq!(*cut_off.get_or_insert(was_cut_off), was_cut_off, "in pieces of {seed}");
    }
    encoded_is_decoded(text, seed);
}

/// The items of a stream, and the decoder's state at its end.
#[derive(Debug, PartialEq, Eq, Default)]
struct Outcome {
    items: Vec<Item>,
    last_event_id: Option<Vec<u8>>,
    retry: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
enum Item {
    Event { event: String, data: Vec<u8>, id: Option<Vec<u8>>, retry: Option<u64> },
    TooLarge,
}

impl From<SseEvent> for Item {
    fn from(event: SseEvent) -> Self {
        Self::Event {
            event: event.event.into_owned(),
            data: event.data.to_vec(),
            id: event.id.map(|id| id.to_vec()),
            retry: event.retry,
        }
    }
}

/// Feeds all pieces. With `held_back`, events are taken out only after some of the pieces.
fn decode(pieces: &[&[u8]], max_data: usize, held_back: bool, heads: &[Vec<u8>]) -> (Outcome, bool) {
    let mut decoder = SseDecoder::new(max_data);
    let mut outcome = Outcome::default();
    let mut heads = heads.iter();
    for (at, piece) in pieces.iter().enumerate() {
        decoder.feed(Bytes::copy_from_slice(piece));
        if held_back && at % 3 != 2 && at + 1 < pieces.len() {
            continue;
        }
        loop {
            outcome.items.push(match decoder.next_event() {
                Ok(None) => break,
                Ok(Some(event)) => event.into(),
                Err(error) => {
                    assert_eq!(error.limit, max_data);
                    assert!(error.head.len() <= EventTooLarge::HEAD_BYTES);
                    assert!(heads.next().is_some_and(|head| head.starts_with(&error.head)));
                    Item::TooLarge
                }
            });
        }
    }
    let is_within_event = decoder.is_within_event();
    let cut_off = decoder.finish();
    assert_eq!((is_within_event, decoder.is_within_event()), (cut_off, false));
    outcome.last_event_id = decoder.last_event_id().map(<[u8]>::to_vec);
    outcome.retry = decoder.retry();
    (outcome, cut_off)
}

/// The plain reading: WHATWG HTML, 9.2.6, with this crate's limits.
#[derive(Default)]
struct Reader {
    max_data: usize,
    outcome: Outcome,
    /// The data of events that are too large, as far as it was read.
    heads: Vec<Vec<u8>>,
    event: Option<String>,
    data: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    block_retry: Option<u64>,
    too_large: bool,
}

impl Reader {
    fn read(text: &[u8], max_data: usize) -> Self {
        let mut reader = Self { max_data, ..Self::default() };
        let mut rest = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            reader.line(&rest[..end], true);
            rest = &rest[end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 }..];
        }
        reader.line(rest, false);
        reader
    }

    /// A line without its end can only be refused as too large.
    fn line(&mut self, line: &[u8], has_ended: bool) {
        if line.is_empty() {
            if has_ended {
                self.dispatch();
            }
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if self.too_large || (!has_ended && colon.is_none()) {
            return;
        }
        match name {
            b"data" => {
                let length = self.data.as_ref().map_or(0, |data| data.len() + 1) + value.len();
                if length > self.max_data {
                    self.refuse(value);
                } else if has_ended {
                    let data = self.data.take().map(|data| [&data, &b"\n"[..]].concat());
                    self.data = Some([&data.unwrap_or_default(), value].concat());
                }
            }
            b"event" if value.len() > FIELD_BYTES => self.refuse(b""),
            _ if !has_ended || value.len() > FIELD_BYTES => {}
            b"event" => {
                self.event = (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned());
            }
            b"id" if !value.contains(&0) => self.id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let value = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                self.block_retry = value.or(self.block_retry);
                self.outcome.retry = value.or(self.outcome.retry);
            }
            _ => {}
        }
    }

    fn refuse(&mut self, value: &[u8]) {
        self.too_large = true;
        let data = self.data.take().map(|data| [&data, &b"\n"[..]].concat());
        self.heads.push([&data.unwrap_or_default(), value].concat());
        self.outcome.items.push(Item::TooLarge);
    }

    fn dispatch(&mut self) {
        let (event, data, id, retry) =
            (self.event.take(), self.data.take(), self.id.take(), self.block_retry.take());
        if std::mem::take(&mut self.too_large) {
            return;
        }
        if let Some(id) = &id {
            self.outcome.last_event_id = Some(id.clone()).filter(|id| !id.is_empty());
        }
        if let Some(data) = data {
            let event = event.unwrap_or_else(|| MESSAGE.to_owned());
            self.outcome.items.push(Item::Event { event, data, id, retry });
        }
    }
}

/// Encodes an event whose id, type and data are lines of the text.
fn encoded_is_decoded(text: &[u8], seed: u8) {
    let mut input = Input::new(text);
    let (id, event) = (String::from_utf8_lossy(input.line()), String::from_utf8_lossy(input.line()));
    let data = input.rest();
    let mut encoder = SseEncoder::new();
    let is_field = |value: &str| value.len() <= FIELD_BYTES && !value.contains(['\r', '\n', '\0']);
    let has_id = seed.is_multiple_of(2);
    if has_id {
        let with_id = encoder.clone().id(&id);
        assert_eq!(with_id.is_ok(), is_field(&id));
        encoder = with_id.unwrap_or(encoder);
    }
    let with_event = encoder.clone().event(&event);
    assert_eq!(with_event.is_ok(), is_field(&event) && !event.is_empty());
    let has_event = with_event.is_ok();
    encoder = with_event.unwrap_or(encoder).retry(u64::from(seed));
    let bytes = encoder.data(cut(data, seed).into_iter().map(Bytes::copy_from_slice)).into_bytes();

    let mut decoder = SseDecoder::new(data.len());
    decoder.feed(bytes);
    let expected = Item::Event {
        event: if has_event { event.into_owned() } else { MESSAGE.to_owned() },
        data: data.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect(),
        id: (has_id && is_field(&id)).then(|| id.as_bytes().to_vec()),
        retry: Some(u64::from(seed)),
    };
    assert_eq!(decoder.next_event().ok().flatten().map(Item::from), Some(expected));
    assert_eq!(decoder.next_event(), Ok(None));
    assert!(!decoder.finish());
}

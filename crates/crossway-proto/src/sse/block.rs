//! The state of the event being decoded.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr;

use super::{ENDPOINT, FIELD_BYTES, MESSAGE, SseEvent};

#[derive(Default)]
pub(super) struct Block {
    event: Option<Cow<'static, str>>,
    data: Data,
    pub(super) id: Option<Bytes>,
    pub(super) retry: Option<u64>,
}

/// The data of an event. Most have it on one line, which is then a slice of the input.
#[derive(Default)]
enum Data {
    #[default]
    None,
    One(Bytes),
    Many(BytesMut),
}

/// How a line is handled. Its start decides already, and more of the line changes the verdict at most from
/// [`Keep`](Self::Keep) to another one: so it does not matter how the bytes are cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The line is part of the event.
    Keep,
    /// The line is a comment or an unknown field, or its value makes the field invalid.
    Ignore,
    /// With this line, the event is too large.
    TooLarge,
}

impl Block {
    /// The verdict about a line, from its start or all of it.
    pub(super) fn verdict(&self, line: &[u8], max_data: usize) -> Verdict {
        let over = |is_over: bool, then: Verdict| if is_over { then } else { Verdict::Keep };
        match field(line) {
            Field::Comment => Verdict::Ignore,
            Field::Named(b"data", value) => {
                over(self.data.len_with(&line[value..]) > max_data, Verdict::TooLarge)
            }
            Field::Named(b"event", value) => over(line.len() - value > FIELD_BYTES, Verdict::TooLarge),
            Field::Named(b"id" | b"retry", value) => over(line.len() - value > FIELD_BYTES, Verdict::Ignore),
            Field::Named(..) => Verdict::Ignore,
            Field::Bare(name) => over(name.len() > LONGEST_NAME, Verdict::Ignore),
        }
    }

    /// Reads the line at `line` in `text`. It must not be empty, and its verdict must be to keep it.
    pub(super) fn add(&mut self, text: &Bytes, line: Range<usize>) {
        let (name, value) = match field(&text[line.clone()]) {
            Field::Comment => return,
            Field::Named(name, value) => (name, line.start + value..line.end),
            Field::Bare(name) => (name, line.end..line.end),
        };
        match name {
            b"data" => self.data.add(text.slice(value)),
            b"event" => self.event = event_type(&text[value]),
            b"id" if memchr(0, &text[value.clone()]).is_none() => self.id = Some(text.slice(value)),
            b"retry" => self.retry = milliseconds(&text[value]).or(self.retry),
            _ => {}
        }
    }

    /// The event. `None` for a block without data.
    pub(super) fn into_event(self) -> Option<SseEvent> {
        let data = match self.data {
            Data::None => return None,
            Data::One(line) => line,
            Data::Many(lines) => lines.freeze(),
        };
        let event = self.event.unwrap_or(Cow::Borrowed(MESSAGE));
        Some(SseEvent { event, data, id: self.id, retry: self.retry })
    }

    pub(super) fn has_begun(&self) -> bool {
        self.event.is_some() || self.id.is_some() || !matches!(self.data, Data::None)
    }

    /// How much data is held.
    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::None => 0,
            Data::One(line) => line.len(),
            Data::Many(lines) => lines.len(),
        }
    }

    /// The data's first bytes, `line` being the one with which the event became too large.
    pub(super) fn head<'a>(&'a self, line: &'a [u8]) -> &'a [u8] {
        match (&self.data, field(line)) {
            (Data::One(data), _) => data,
            (Data::Many(data), _) => data,
            (Data::None, Field::Named(b"data", value)) => &line[value..],
            (Data::None, _) => &[],
        }
    }
}

impl Data {
    fn len_with(&self, line: &[u8]) -> usize {
        match self {
            Self::None => line.len(),
            Self::One(first) => first.len() + 1 + line.len(),
            Self::Many(lines) => lines.len() + 1 + line.len(),
        }
    }

    fn add(&mut self, line: Bytes) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(line),
            Self::One(first) => {
                let mut lines = BytesMut::with_capacity(2 * (first.len() + 1 + line.len()));
                lines.put_slice(&first);
                Self::join(lines, &line)
            }
            Self::Many(lines) => Self::join(lines, &line),
        };
    }

    fn join(mut lines: BytesMut, line: &[u8]) -> Self {
        lines.put_u8(b'\n');
        lines.put_slice(line);
        Self::Many(lines)
    }
}

/// A line's parts.
enum Field<'a> {
    Comment,
    /// Its name, and where in the line its value starts.
    Named(&'a [u8], usize),
    /// A name without a colon, which has an empty value.
    Bare(&'a [u8]),
}

/// The longest name of a known field.
const LONGEST_NAME: usize = "event".len();

fn field(line: &[u8]) -> Field<'_> {
    match memchr(b':', line) {
        Some(0) => Field::Comment,
        Some(colon) => {
            Field::Named(&line[..colon], colon + 1 + usize::from(line.get(colon + 1) == Some(&b' ')))
        }
        None => Field::Bare(line),
    }
}

fn event_type(name: &[u8]) -> Option<Cow<'static, str>> {
    match name {
        b"" => None,
        name if name == MESSAGE.as_bytes() => Some(Cow::Borrowed(MESSAGE)),
        name if name == ENDPOINT.as_bytes() => Some(Cow::Borrowed(ENDPOINT)),
        name => Some(Cow::Owned(String::from_utf8_lossy(name).into_owned())),
    }
}

/// "If the field value consists of only ASCII digits, then interpret the field value as an integer in base ten, and
/// set the event stream's reconnection time to that integer. Otherwise, ignore the field." (WHATWG HTML, 9.2.6)
fn milliseconds(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

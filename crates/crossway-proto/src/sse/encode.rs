//! The encoder of server-sent events.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr3;

use super::{ENDPOINT, FIELD_BYTES};
use crate::Slices;
use crate::newline::without_newlines;

/// Writes one event: its fields first, then its data.
///
/// ```
/// use bytes::Bytes;
/// use crossway_proto::sse::SseEncoder;
///
/// let event = SseEncoder::new().id("7")?.retry(500).data([Bytes::from_static(b"{}")]);
/// assert_eq!(event.into_bytes(), "id: 7\nretry: 500\ndata: {}\n\n");
/// # Ok::<(), crossway_proto::sse::InvalidField>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct SseEncoder {
    fields: BytesMut,
}

impl SseEncoder {
    /// An event without a type, which readers take for a `message`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An event of the explicit type `message`, which each client understands and which older ones require.
    ///
    /// The fast path: nothing is allocated, and nothing of the message is copied (but see [`data`](Self::data)).
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use crossway_proto::sse::SseEncoder;
    /// let event = SseEncoder::message([Bytes::from_static(b"{\"id\":"), Bytes::from_static(b"1}")]);
    /// assert_eq!(event.into_bytes(), "event: message\ndata: {\"id\":1}\n\n");
    /// ```
    pub fn message(message: impl IntoIterator<Item = Bytes>) -> Slices {
        framed(Bytes::from_static(b"event: message\ndata: "), message)
    }

    /// Sets the event's type.
    ///
    /// # Errors
    ///
    /// When the name has a newline, has more than [`FIELD_BYTES`] bytes, or is empty.
    pub fn event(self, name: &str) -> Result<Self, InvalidField> {
        if name.is_empty() || name.len() > FIELD_BYTES {
            return Err(InvalidField);
        }
        self.field("event: ", name)
    }

    /// Gives the event an id.
    ///
    /// # Errors
    ///
    /// When the id has a newline or a NUL in it, or more than [`FIELD_BYTES`] bytes.
    pub fn id(self, id: &str) -> Result<Self, InvalidField> {
        if id.len() > FIELD_BYTES {
            return Err(InvalidField);
        }
        self.field("id: ", id)
    }

    /// Tells the client how long to wait before it connects again.
    #[must_use]
    pub fn retry(mut self, milliseconds: u64) -> Self {
        self.fields.put_slice(format!("retry: {milliseconds}\n").as_bytes());
        self
    }

    /// The event with this data, as a chain of slices around the message's own.
    ///
    /// Nothing is copied, except where a slice has a newline: JSON allows them between tokens, and each `\n`
    /// and `\r` then starts a new `data` line. Decoders join those with `\n`, so a `\r` arrives as `\n`,
    /// which is also whitespace in JSON.
    pub fn data(mut self, message: impl IntoIterator<Item = Bytes>) -> Slices {
        self.fields.put_slice(b"data: ");
        framed(self.fields.freeze(), message)
    }

    /// The event that primes a client to resume the stream: an id with empty data, and `retry` if given.
    ///
    /// "The server **SHOULD** immediately send an SSE event consisting of an event ID and an empty `data` field in
    /// order to prime the client to reconnect" (2025-11-25, basic/transports).
    ///
    /// # Errors
    ///
    /// As [`id`](Self::id).
    pub fn priming(id: &str, retry: Option<u64>) -> Result<Bytes, InvalidField> {
        let event = Self::new().id(id)?;
        let event = if let Some(retry) = retry { event.retry(retry) } else { event };
        Ok(event.data([]).into_bytes())
    }

    /// The first event of an HTTP+SSE server's stream: the URI for POSTs.
    ///
    /// # Errors
    ///
    /// When the URI has a newline in it, or is empty.
    pub fn endpoint(uri: &str) -> Result<Bytes, InvalidField> {
        if uri.is_empty() {
            return Err(InvalidField);
        }
        let mut event = Self::new().event(ENDPOINT)?.field("data: ", uri)?.fields;
        event.put_u8(b'\n');
        Ok(event.freeze())
    }

    /// A comment, which decoders skip.
    ///
    /// # Errors
    ///
    /// When the text has a newline in it.
    pub fn comment(text: &str) -> Result<Bytes, InvalidField> {
        let mut block = Self::new().field(": ", text)?.fields;
        block.put_u8(b'\n');
        Ok(block.freeze())
    }

    /// The shortest comment, to keep a connection that is silent from being closed.
    #[must_use]
    pub const fn keep_alive() -> Bytes {
        Bytes::from_static(b":\n\n")
    }

    fn field(mut self, name: &str, value: &str) -> Result<Self, InvalidField> {
        if memchr3(b'\n', b'\r', 0, value.as_bytes()).is_some() {
            return Err(InvalidField);
        }
        self.fields.reserve(name.len() + value.len() + "\ndata: ".len());
        self.fields.put_slice(name.as_bytes());
        self.fields.put_slice(value.as_bytes());
        self.fields.put_u8(b'\n');
        Ok(self)
    }
}

fn framed(head: Bytes, message: impl IntoIterator<Item = Bytes>) -> Slices {
    let message = message.into_iter().map(|slice| without_newlines(slice, b"\ndata: "));
    std::iter::once(head).chain(message).chain([Bytes::from_static(b"\n\n")]).collect()
}

/// A field of an event can't hold this value: it has a newline or a NUL in it, is too long, or is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value does not fit into a field of a server-sent event")]
pub struct InvalidField;

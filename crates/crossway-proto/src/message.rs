//! A message: its original bytes, the positions of its parts, and its splices.

use std::borrow::Cow;
use std::fmt;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::scan::{self, Envelope, Scanned, Span};
use crate::text::Text;
use crate::{Layout, Limits, ParseError, Part, RequestId};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It has a method and an id: it needs an answer.
    Request,
    /// It has a method and no id.
    Notification,
    /// The answer to a request, with a result.
    Result,
    /// The answer to a request, with an error.
    Error,
}

/// A member that decides something occurs more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a member is there more than once")]
pub struct Ambiguous;

/// One JSON-RPC message: its original bytes, and an envelope that was read in one pass.
///
/// Nothing is decoded and encoded again. Where an id or a token has to change, the new one is recorded beside
/// the bytes and written in its place ([`chunks`](Message::chunks)); everything else is sent as it arrived.
/// Cloning is cheap: the bytes are shared.
///
/// ```
/// use bytes::Bytes;
/// use crossway_proto::{Kind, Limits, Message, RequestId};
///
/// let text = Bytes::from_static(br#"{"jsonrpc":"2.0", "id":"a", "method":"tools/call", "params":{"x":1.50}}"#);
/// let mut message = Message::parse(text, &Limits::default())?;
/// assert_eq!(message.kind(), Kind::Request);
/// assert_eq!(message.method(), Some("tools/call".into()));
///
/// message.set_id(&RequestId::from(7));
/// assert_eq!(
///     message.to_bytes(),
///     r#"{"jsonrpc":"2.0", "id":7, "method":"tools/call", "params":{"x":1.50}}"#
/// );
/// # Ok::<(), crossway_proto::ParseError>(())
/// ```
///
/// A message is one pointer, because it is moved many times.
#[derive(Clone)]
pub struct Message(pub(crate) Box<Parts>);

/// The contents of a message.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) text: Bytes,
    pub(crate) kind: Kind,
    pub(crate) envelope: Envelope,
    /// In the order of their spans, which do not overlap. Most messages have at most two: an id and a name.
    pub(crate) edits: SmallVec<[Edit; 2]>,
    /// The positions of members, if they were [noted](Message::note_layout).
    pub(crate) noted: Option<Layout>,
}

#[derive(Clone)]
pub(crate) struct Edit {
    /// The span that is replaced; empty where text is inserted.
    pub(crate) span: Span,
    pub(crate) with: Text,
}

impl Message {
    /// Reads one message, which has to fill the whole text.
    ///
    /// # Errors
    ///
    /// When the text is not UTF-8, not JSON, not a JSON-RPC 2.0 message, or over a limit; when `id` is
    /// neither a string nor a number (2025-11-25, basic, Requests: "the ID MUST NOT be `null`"; an error that
    /// answers no known request may have null); when a member that decides how a message is handled occurs
    /// twice.
    pub fn parse(text: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        Self::parse_bare(without_bom(text), limits)
    }

    /// Reads a message from a text in which a byte order mark is an error.
    pub(crate) fn parse_bare(text: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        let Scanned { mut envelope, error, modern_result } = scan::envelope(&text, limits)?;
        let kind = kind(&text, &envelope, error, limits)?;
        if kind == Kind::Error {
            envelope.result = error;
        }
        envelope.is_method_escaped = text[envelope.method.range()].contains(&b'\\');
        let mut message = Self::unedited(text, kind, envelope);
        message.0.noted = modern_result.map(|members| Layout::of(Part::Result, members));
        Ok(message)
    }

    pub(crate) fn unedited(text: Bytes, kind: Kind, envelope: Envelope) -> Self {
        Self(Box::new(Parts { text, kind, envelope, edits: SmallVec::new(), noted: None }))
    }

    /// What the message is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.0.kind == Kind::Request
    }

    /// Whether it answers a request, with a result or an error.
    #[must_use]
    pub fn is_response(&self) -> bool {
        matches!(self.0.kind, Kind::Result | Kind::Error)
    }

    /// The id; `None` for notifications and for errors whose id is null or missing.
    #[must_use]
    pub fn id(&self) -> Option<RequestId> {
        token(self.part(self.0.envelope.id))
    }

    /// The id of a request, to which an answer is due; `None` for notifications and responses.
    #[must_use]
    pub fn request_id(&self) -> Option<RequestId> {
        if self.is_request() { self.id() } else { None }
    }

    /// The method of a request or a notification.
    #[must_use]
    pub fn method(&self) -> Option<Cow<'_, str>> {
        /// The method of most messages, which is recognised faster than it is read.
        const USUAL: &str = "tools/call";
        if !self.0.envelope.is_method_escaped && self.is_method(USUAL) {
            return Some(Cow::Borrowed(USUAL));
        }
        string(self.part(self.0.envelope.method))
    }

    /// Whether the method is `method`; cheaper than [`method`](Message::method).
    #[must_use]
    pub fn is_method(&self, method: &str) -> bool {
        if self.0.envelope.is_method_escaped {
            return self.method().as_deref() == Some(method);
        }
        let token = self.0.envelope.method.range();
        token.len() == method.len() + 2
            && is_same(&self.0.text[token.start + 1..token.end - 1], method.as_bytes())
    }

    /// `params` as JSON text.
    #[must_use]
    pub fn params(&self) -> Option<&[u8]> {
        self.raw(self.0.envelope.params)
    }

    /// `result` as JSON text.
    #[must_use]
    pub fn result(&self) -> Option<&[u8]> {
        self.raw(self.0.envelope.result).filter(|_| self.0.kind != Kind::Error)
    }

    /// `error` as JSON text.
    #[must_use]
    pub fn error(&self) -> Option<&[u8]> {
        self.raw(self.0.envelope.result).filter(|_| self.0.kind == Kind::Error)
    }

    /// `params._meta` or `result._meta` as JSON text.
    #[must_use]
    pub fn meta(&self) -> Option<&[u8]> {
        self.raw(self.0.envelope.meta)
    }

    /// Whether a member of the message, of its `params` or of their `_meta` has the name of a known member in
    /// another case, such as `Name` beside or instead of `name`.
    ///
    /// "All property names are case-sensitive" in JSON-RPC 2.0, so such a member is passed on like any
    /// unknown one. The JSON readers of some servers take it for the known one and act on it: code that makes
    /// decisions by a message must refuse a message with such a member.
    #[must_use]
    pub fn has_lookalikes(&self) -> bool {
        self.0.envelope.has_lookalikes
    }

    /// Replaces the message's id, which may be null. Does nothing for a message that has none.
    pub fn set_id(&mut self, id: &RequestId) {
        if self.raw(self.0.envelope.id).is_some_and(is_id) {
            self.record(self.0.envelope.id, Text::copied(id.as_json()));
        }
    }

    /// The length of the written message in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0
            .edits
            .iter()
            .fold(self.0.text.len(), |len, edit| len - edit.span.range().len() + edit.with.len())
    }

    /// Always false: a message has at least its braces. It exists because `len` does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The message as a chain of slices to be written one after the other. Nothing is copied.
    pub fn chunks(&self) -> impl Iterator<Item = Bytes> + '_ {
        let mut at = 0;
        let spliced = self.0.edits.iter().flat_map(move |edit| {
            let span = edit.span.range();
            let before = self.0.text.slice(std::mem::replace(&mut at, span.end)..span.start);
            [before, edit.with.to_bytes()]
        });
        let rest = self.0.edits.last().map_or(0, |edit| edit.span.range().end);
        spliced.chain(std::iter::once_with(move || self.0.text.slice(rest..)))
    }

    /// The message in one piece: shared if nothing was spliced, else copied once.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if self.0.edits.is_empty() {
            return self.0.text.clone();
        }
        let mut whole = BytesMut::with_capacity(self.len());
        self.write_to(&mut whole);
        whole.freeze()
    }

    /// Appends the message to `out`.
    pub fn write_to(&self, out: &mut impl bytes::BufMut) {
        let mut at = 0;
        for edit in &self.0.edits {
            let span = edit.span.range();
            out.put_slice(&self.0.text[at..span.start]);
            out.put_slice(&edit.with);
            at = span.end;
        }
        out.put_slice(&self.0.text[at..]);
    }

    /// A part's bytes as they will be written; empty if the part is absent.
    pub(crate) fn part(&self, span: Span) -> &[u8] {
        if span.is_absent() {
            return &[];
        }
        match self.0.edits.iter().find(|edit| edit.span == span) {
            Some(edit) => &edit.with,
            None => &self.0.text[span.range()],
        }
    }

    /// Whether it was removed, by itself or with the part around it.
    pub(crate) fn is_gone(&self, span: Span) -> bool {
        self.0.edits.iter().any(|edit| edit.span != span && span.is_within(edit.span))
    }

    /// A part of the original text.
    pub(crate) fn raw(&self, span: Span) -> Option<&[u8]> {
        (!span.is_absent()).then(|| &self.0.text[span.range()])
    }
}

/// Whether a value is an id, or null instead of one.
pub(crate) fn is_id(value: &[u8]) -> bool {
    matches!(value.first(), Some(b'"' | b'-' | b'n' | b'0'..=b'9'))
}

pub(crate) fn token(value: &[u8]) -> Option<RequestId> {
    matches!(value.first(), Some(b'"' | b'-' | b'0'..=b'9')).then(|| RequestId::from_token(value))
}

pub(crate) fn string(token: &[u8]) -> Option<Cow<'_, str>> {
    if token.first() != Some(&b'"') {
        return None;
    }
    let inner = &token[1..token.len() - 1];
    if inner.contains(&b'\\') {
        return serde_json::from_slice(token).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// Whether two texts of one length are the same. Most methods have 8 to 16 bytes: two numbers each, of which the second may begin within
/// the first.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let ends = |text: &[u8]| {
        let number = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
        (text.len() <= 16).then(|| Some((number(text.first_chunk()?), number(text.last_chunk()?)))).flatten()
    };
    match (ends(one), ends(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// A byte order mark is not part of JSON, and "implementations [...] that parse JSON texts MAY ignore the
/// presence of a byte order mark" (RFC 8259, section 8.1).
pub(crate) fn without_bom(text: Bytes) -> Bytes {
    if text.starts_with(b"\xEF\xBB\xBF") { text.slice(3..) } else { text }
}

/// Determines the kind of a message, and refuses a text that is none.
fn kind(text: &[u8], envelope: &Envelope, error: Span, limits: &Limits) -> Result<Kind, ParseError> {
    let refuse = |what| Err(ParseError::NotJsonRpc { what });
    let first =
        |span: Span| text.get(span.range()).and_then(<[u8]>::first).copied().filter(|_| !span.is_absent());
    for token in [envelope.id, envelope.progress_token, envelope.meta_progress_token, envelope.request_id] {
        if token.range().len() > limits.id_bytes {
            return refuse("an id or a progress token is too long");
        }
    }
    match (first(envelope.method), !envelope.result.is_absent(), !error.is_absent()) {
        // No server can have a method whose name is not valid Unicode, and no header could carry it.
        (Some(b'"'), false, false) if !is_unicode(&text[envelope.method.range()]) => {
            refuse("\"method\" has half a surrogate pair")
        }
        (Some(b'"'), false, false) => match first(envelope.params) {
            None | Some(b'{' | b'[') => match first(envelope.id) {
                None => Ok(Kind::Notification),
                Some(b'"' | b'-' | b'0'..=b'9') => Ok(Kind::Request),
                Some(_) => refuse("the id is neither a string nor a number"),
            },
            Some(_) => refuse("\"params\" is neither an object nor an array"),
        },
        (Some(b'"'), _, _) => refuse("it has a method and also a result or an error"),
        (Some(_), _, _) => refuse("\"method\" is not a string"),
        (None, true, true) => refuse("it has a result and also an error"),
        (None, true, false) => match first(envelope.id) {
            Some(b'"' | b'-' | b'0'..=b'9') => Ok(Kind::Result),
            _ => refuse("a result needs the id of its request"),
        },
        (None, false, true) => match (first(error), first(envelope.id)) {
            (Some(b'{'), None | Some(b'"' | b'-' | b'n' | b'0'..=b'9')) => Ok(Kind::Error),
            (Some(b'{'), _) => refuse("the id is neither a string nor a number"),
            _ => refuse("\"error\" is not an object"),
        },
        (None, false, false) => refuse("it has neither a method nor a result nor an error"),
    }
}

/// Whether a string token, which is UTF-8, is text when its escapes are read.
fn is_unicode(token: &[u8]) -> bool {
    !token.contains(&b'\\') || serde_json::from_slice::<String>(token).is_ok()
}

impl fmt::Debug for Message {
    /// Shows the kind of the message, and never its contents: payloads must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.0.kind)
            .field("method", &self.method())
            .field("bytes", &self.len())
            .finish()
    }
}

impl PartialEq for Message {
    /// Two messages are equal when they are written as the same bytes.
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Message {}

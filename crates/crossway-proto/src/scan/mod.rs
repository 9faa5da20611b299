//! Scans a message once: validates its JSON and finds the parts that decide where it goes.

mod json;
mod lookalike;
mod parts;

use std::ops::Range;
use std::sync::Arc;

use json::Cursor;
pub use lookalike::is_lookalike;
use lookalike::{PARAMS, TOP, is_lookalike_in_meta};
pub(crate) use parts::{Capabilities, Envelope, Span};
use smallvec::SmallVec;

use crate::{Limits, ParseError};

/// The most members of a result that are recorded during the scan. Results of the specification have fewer.
const MEMBERS_NOTED: usize = 16;

/// The result of a message's scan.
pub(crate) struct Scanned {
    pub(crate) envelope: Envelope,
    /// Where `error` stands.
    pub(crate) error: Span,
    /// The members of a result with a `resultType`: its translation between eras reads all of them.
    pub(crate) modern_result: Option<Arc<Members>>,
}

/// Scans one JSON-RPC object that fills the whole text. Never inlined: the caller may be compiled for size,
/// and the scan with it would be ten times slower.
#[inline(never)]
pub(crate) fn envelope(text: &[u8], limits: &Limits) -> Result<Scanned, ParseError> {
    if text.len() > limits.message_bytes.min(u32::MAX as usize) {
        return Err(ParseError::TooLong { limit: limits.message_bytes });
    }
    let cursor = Cursor::new(text, limits.depth);
    let mut scan = Scan {
        cursor,
        envelope: Envelope::default(),
        error: Span::default(),
        version: None,
        is_in_result: false,
        is_result_modern: false,
        result: Members::new(),
    };
    scan.message()?;
    scan.cursor.skip_whitespace();
    if scan.cursor.peek().is_some() {
        return Err(scan.cursor.fail("text follows the message"));
    }
    // By the grammar, all text outside strings is ASCII, so only strings can be ill-formed.
    if !scan.cursor.saw_only_ascii() && simdutf8::basic::from_utf8(text).is_err() {
        return Err(ParseError::NotUtf8);
    }
    if scan.version != Some(true) {
        return Err(ParseError::NotJsonRpc { what: "\"jsonrpc\":\"2.0\" is missing" });
    }
    // If the object has more members, not all were recorded.
    let is_whole = scan.is_result_modern && scan.result.len() < MEMBERS_NOTED;
    Ok(Scanned {
        envelope: scan.envelope,
        error: scan.error,
        modern_result: is_whole.then(|| Arc::new(scan.result)),
    })
}

/// The spans of an array's elements.
#[inline(never)]
pub(crate) fn elements(text: &[u8], limits: &Limits) -> Result<Vec<Range<usize>>, ParseError> {
    if text.len() > limits.message_bytes.min(u32::MAX as usize) {
        return Err(ParseError::TooLong { limit: limits.message_bytes });
    }
    let mut cursor = Cursor::new(text, limits.depth);
    let mut found = Vec::new();
    cursor.expect(b'[', "an array was expected")?;
    if !cursor.take(b']') {
        loop {
            if found.len() == limits.batch_messages {
                return Err(ParseError::NotJsonRpc { what: "a batch has too many messages" });
            }
            found.push(cursor.value(1)?.range());
            if !cursor.take(b',') {
                break;
            }
        }
        cursor.expect(b']', "a comma or a closing bracket was expected")?;
    }
    cursor.skip_whitespace();
    if cursor.peek().is_some() {
        return Err(cursor.fail("text follows the batch"));
    }
    Ok(found)
}

/// Whether a text is one JSON value, of any kind and any depth.
pub(crate) fn is_value(text: &[u8]) -> bool {
    let mut cursor = Cursor::new(text, usize::MAX);
    let is_read = cursor.value(0).is_ok();
    cursor.skip_whitespace();
    is_read
        && cursor.peek().is_none()
        && (cursor.saw_only_ascii() || simdutf8::basic::from_utf8(text).is_ok())
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// Its name, with the quotes.
    pub(crate) name: Span,
    /// Whether there are escapes in the name.
    pub(crate) is_escaped: bool,
    pub(crate) value: Span,
}

/// The members of an object, in their order.
pub(crate) type Members = SmallVec<[Member; 6]>;

/// The members of an object whose text was scanned before; empty if it is not an object.
#[inline(never)]
pub(crate) fn members(text: &[u8]) -> Members {
    let mut cursor = Cursor::new(text, usize::MAX);
    if cursor.take(b'{') { rest_of_members(cursor) } else { Members::new() }
}

/// The same for the inside of an object: its members without the braces, perhaps with a comma at the end.
pub(crate) fn bare_members(text: &[u8]) -> Members {
    rest_of_members(Cursor::new(text, usize::MAX))
}

fn rest_of_members(mut cursor: Cursor<'_>) -> Members {
    let mut found = Members::new();
    while let Ok(name) = cursor.key() {
        let Ok(value) = cursor.value(1) else { break };
        found.push(Member { name: name.span, is_escaped: name.escaped, value });
        if !cursor.take(b',') {
            break;
        }
    }
    found
}

struct Scan<'a> {
    cursor: Cursor<'a>,
    envelope: Envelope,
    /// Where `error` stands.
    error: Span,
    /// Whether `jsonrpc` is "2.0", once it was seen.
    version: Option<bool>,
    is_in_result: bool,
    is_result_modern: bool,
    /// The first members of the result; their spans are within it.
    result: Members,
}

impl Scan<'_> {
    fn message(&mut self) -> Result<(), ParseError> {
        self.cursor.skip_whitespace();
        match self.cursor.peek() {
            Some(b'{') => {}
            // Not an object. It may still be JSON, and then the refusal says so.
            _ => {
                self.cursor.value(0)?;
                return Err(ParseError::NotJsonRpc { what: "it is not an object" });
            }
        }
        self.members(0, Self::top_member)
    }

    /// Scans the members of an object at nesting level `depth`; the cursor is on its brace.
    fn members(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.cursor.check_depth(depth)?;
        self.cursor.expect(b'{', "an object was expected")?;
        if self.cursor.take(b'}') {
            return Ok(());
        }
        let is_of_result = self.is_in_result && depth == 1;
        loop {
            let key = self.cursor.key()?;
            let behind_key = self.cursor.position();
            if key.escaped {
                // `"meth\u006fd"` is a `method` to readers that decode it, so it has to be one here. A name
                // that is not Unicode (a lone surrogate) is none of the names below.
                let name: String = serde_json::from_slice(self.cursor.text(key.span)).unwrap_or_default();
                member(self, name.as_bytes())?;
            } else {
                let name = self.cursor.text(key.span.within_quotes());
                member(self, name)?;
            }
            if is_of_result && self.result.len() < MEMBERS_NOTED {
                let value = self.cursor.without_space(behind_key);
                self.result.push(Member { name: key.span, is_escaped: key.escaped, value });
            }
            if !self.cursor.take(b',') {
                return self.cursor.expect(b'}', "a comma or a closing brace was expected");
            }
        }
    }

    fn top_member(&mut self, key: &[u8]) -> Result<(), ParseError> {
        match key {
            b"jsonrpc" => {
                let span = self.cursor.value(1)?;
                if self.version.is_some() {
                    return Err(ParseError::DuplicateMember { member: "jsonrpc" });
                }
                let text = self.cursor.text(span);
                self.version = Some(
                    text == br#""2.0""#
                        || text.contains(&b'\\')
                            && serde_json::from_slice::<String>(text).is_ok_and(|version| version == "2.0"),
                );
                Ok(())
            }
            b"id" => self.note(1, "id", |envelope| &mut envelope.id),
            b"method" => self.note(1, "method", |envelope| &mut envelope.method),
            b"params" => self.descend(1, "params", |envelope| &mut envelope.params, Self::params_member),
            b"result" => self.result(),
            b"error" => {
                let span = self.cursor.value(1)?;
                if !self.error.is_absent() {
                    return Err(ParseError::DuplicateMember { member: "error" });
                }
                self.error = span;
                Ok(())
            }
            _ => self.other(1, is_lookalike(key, &TOP)),
        }
    }

    fn result(&mut self) -> Result<(), ParseError> {
        self.is_in_result = true;
        self.descend(1, "result", |envelope| &mut envelope.result, Self::result_member)?;
        self.is_in_result = false;
        let start = self.envelope.result.range().start;
        for member in &mut self.result {
            *member = Member {
                name: member.name.shifted_back(start),
                value: member.value.shifted_back(start),
                ..*member
            };
        }
        Ok(())
    }

    fn params_member(&mut self, key: &[u8]) -> Result<(), ParseError> {
        match key {
            b"name" => self.note(2, "name", |envelope| &mut envelope.name),
            b"uri" => self.note(2, "uri", |envelope| &mut envelope.uri),
            b"requestId" => self.note(2, "requestId", |envelope| &mut envelope.request_id),
            b"progressToken" => self.note(2, "progressToken", |envelope| &mut envelope.progress_token),
            b"protocolVersion" => self.note(2, "protocolVersion", |envelope| &mut envelope.version),
            b"_meta" => self.descend(2, "_meta", |envelope| &mut envelope.meta, Self::meta_member),
            b"arguments" => {
                let span = self.cursor.value(2)?;
                if self.envelope.arguments.is_absent() {
                    self.envelope.arguments = span;
                } else {
                    self.envelope.has_more_arguments = true;
                }
                Ok(())
            }
            b"requestState" | b"inputResponses" | b"task" => {
                self.envelope.has_rare = true;
                self.cursor.value(2).map(drop)
            }
            _ => self.other(2, is_lookalike(key, &PARAMS)),
        }
    }

    fn result_member(&mut self, key: &[u8]) -> Result<(), ParseError> {
        match key {
            b"protocolVersion" => self.note(2, "protocolVersion", |envelope| &mut envelope.version),
            b"_meta" => self.descend(2, "_meta", |envelope| &mut envelope.meta, Self::result_meta_member),
            b"requestState" | b"cacheScope" => {
                self.envelope.has_rare = true;
                self.cursor.value(2).map(drop)
            }
            b"resultType" => {
                self.is_result_modern = true;
                self.cursor.value(2).map(drop)
            }
            _ => self.cursor.value(2).map(drop),
        }
    }

    fn meta_member(&mut self, key: &[u8]) -> Result<(), ParseError> {
        match key {
            b"progressToken" => self.note(3, "progressToken", |envelope| &mut envelope.meta_progress_token),
            b"io.modelcontextprotocol/protocolVersion" => {
                self.note(3, "io.modelcontextprotocol/protocolVersion", |envelope| &mut envelope.meta_version)
            }
            // It decides who gets the log messages that arrive during the call.
            b"io.modelcontextprotocol/logLevel" => {
                self.note(3, "io.modelcontextprotocol/logLevel", |envelope| &mut envelope.log_level)
            }
            b"io.modelcontextprotocol/clientCapabilities" => {
                let span = self.cursor.value(3)?;
                let said = match self.cursor.text(span) {
                    b"{}" => Capabilities::None,
                    [b'{', ..] => Capabilities::Some,
                    _ => Capabilities::Unsaid,
                };
                self.envelope.capabilities = said.max(self.envelope.capabilities);
                Ok(())
            }
            _ => {
                self.envelope.has_lookalikes |= is_lookalike_in_meta(key);
                self.result_meta_member(key)
            }
        }
    }

    fn result_meta_member(&mut self, key: &[u8]) -> Result<(), ParseError> {
        match key {
            b"io.modelcontextprotocol/subscriptionId" => {
                self.note(3, "io.modelcontextprotocol/subscriptionId", |envelope| {
                    &mut envelope.subscription_id
                })
            }
            _ => self.cursor.value(3).map(drop),
        }
    }

    /// Takes a value that is not needed here.
    fn other(&mut self, depth: usize, is_lookalike: bool) -> Result<(), ParseError> {
        self.envelope.has_lookalikes |= is_lookalike;
        self.cursor.value(depth).map(drop)
    }

    /// Takes a value and records its position.
    fn note(
        &mut self,
        depth: usize,
        member: &'static str,
        slot: impl Fn(&mut Envelope) -> &mut Span,
    ) -> Result<(), ParseError> {
        let span = self.cursor.value(depth)?;
        self.fill(member, span, slot)
    }

    /// Takes an object member by member, or any other value as a whole, and records its position.
    fn descend(
        &mut self,
        depth: usize,
        member: &'static str,
        slot: impl Fn(&mut Envelope) -> &mut Span,
        inner: fn(&mut Self, &[u8]) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.cursor.skip_whitespace();
        let start = self.cursor.position();
        if self.cursor.peek() == Some(b'{') {
            self.members(depth, inner)?;
        } else {
            self.cursor.value(depth)?;
        }
        let span = Span::new(start, self.cursor.position());
        self.fill(member, span, slot)
    }

    fn fill(
        &mut self,
        member: &'static str,
        span: Span,
        slot: impl Fn(&mut Envelope) -> &mut Span,
    ) -> Result<(), ParseError> {
        let slot = slot(&mut self.envelope);
        if !slot.is_absent() {
            return Err(ParseError::DuplicateMember { member });
        }
        *slot = span;
        Ok(())
    }
}

//! Members for `params._meta` of many requests, validated once and inserted without another scan.

use bytes::Bytes;
use memchr::memmem;

use crate::edit::write_members;
use crate::scan::{Capabilities, Envelope, Span};
use crate::{Kind, Message, ParseError, Part, RequestId};

const META: &[u8] = br#""_meta":"#;

/// Members that many requests are given in their `_meta`.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// The members as they are written, without braces.
    text: Bytes,
    /// The positions in it that an envelope records.
    meta_version: Span,
    log_level: Span,
    capabilities: Capabilities,
    /// Names and values.
    members: Box<[(Box<str>, Bytes)]>,
    /// The names of members that requests must not have themselves.
    removed: Box<[Box<str>]>,
}

/// A request can't be stamped: its `params` or its `_meta` is not an object, or it has a member twice that
/// decides how it is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("\"params\" and its \"_meta\" have to be objects")]
pub struct NotStamped;

impl Stamp {
    /// Creates a stamp from members with their values, which are JSON text. Requests lose the members named
    /// in `removed`.
    ///
    /// # Errors
    ///
    /// When a value is not valid JSON, is nested too deeply, or has a member twice that decides how a message
    /// is handled.
    pub fn new(members: &[(&str, &[u8])], removed: &[&str]) -> Result<Self, ParseError> {
        let mut text = bytes::BytesMut::new();
        write_members(&mut text, members);
        let params = [br#"{"_meta":{"#, &text[..], b"}}"].concat();
        let sample = Message::request_of(&RequestId::from(0), "m", Some(&params))?;
        let base = sample.0.envelope.meta.range().start + 1;
        let within = |span: Span| if span.is_absent() { span } else { span.shifted_back(base) };
        Ok(Self {
            text: text.freeze(),
            meta_version: within(sample.0.envelope.meta_version),
            log_level: within(sample.0.envelope.log_level),
            capabilities: sample.0.envelope.capabilities,
            members: members
                .iter()
                .map(|(name, value)| ((*name).into(), Bytes::copy_from_slice(value)))
                .collect(),
            removed: removed.iter().map(|name| (*name).into()).collect(),
        })
    }

    /// Whether JSON text may have a member that the stamp sets or removes. False is always right.
    fn may_meet(&self, meta: &[u8]) -> bool {
        let names = self.members.iter().map(|(name, _)| name).chain(&self.removed);
        memchr::memchr(b'\\', meta).is_some()
            || names.into_iter().any(|name| memmem::find(meta, name.as_bytes()).is_some())
    }
}

impl Message {
    /// The request with the members of a stamp first in `params._meta`, replacing members with the same
    /// names. Absent `params` and `_meta` are created. The other bytes stay unchanged.
    ///
    /// # Errors
    ///
    /// When `params` or its `_meta` is not an object. A `_meta` that is null counts as absent.
    pub fn stamped(self, stamp: &Stamp) -> Result<Self, NotStamped> {
        let text = |span: Span| self.raw(span);
        let is_plain = self.0.edits.is_empty() && self.0.kind == Kind::Request;
        match (text(self.0.envelope.params), text(self.0.envelope.meta)) {
            (Some([b'{', params @ ..]), None) if is_plain => {
                let at = self.0.envelope.params.range().start + 1;
                Ok(self.with_stamp(stamp, at, is_over(params), true))
            }
            (Some(_), Some([b'{', meta @ ..])) if is_plain && !stamp.may_meet(meta) => {
                let at = self.0.envelope.meta.range().start + 1;
                Ok(self.with_stamp(stamp, at, is_over(meta), false))
            }
            _ => self.stamped_slowly(stamp),
        }
    }

    /// Writes the stamp at `at`, right after a brace, and shifts all recorded positions.
    fn with_stamp(&self, stamp: &Stamp, at: usize, is_last: bool, makes_meta: bool) -> Self {
        let before = if makes_meta { META.len() + 1 } else { 0 };
        let behind = usize::from(makes_meta) + usize::from(!is_last);
        let len = before + stamp.text.len() + behind;
        let mut text = Vec::with_capacity(self.0.text.len() + len);
        text.extend_from_slice(&self.0.text[..at]);
        if makes_meta {
            text.extend_from_slice(META);
            text.push(b'{');
        }
        let stands = text.len();
        text.extend_from_slice(&stamp.text);
        if makes_meta {
            text.push(b'}');
        }
        if !is_last {
            text.push(b',');
        }
        text.extend_from_slice(&self.0.text[at..]);
        let mut envelope = self.0.envelope;
        envelope.make_room(at, len);
        if makes_meta {
            envelope.meta = Span::new(stands - 1, stands + stamp.text.len() + 1);
        }
        let noted = |span: Span| if span.is_absent() { span } else { span.shifted(stands) };
        envelope.capabilities = stamp.capabilities.max(envelope.capabilities);
        let Envelope { meta_version, log_level, .. } = &mut envelope;
        for (slot, span) in [(meta_version, stamp.meta_version), (log_level, stamp.log_level)] {
            if !span.is_absent() {
                *slot = noted(span);
            }
        }
        Self::unedited(text.into(), self.0.kind, envelope)
    }

    fn stamped_slowly(mut self, stamp: &Stamp) -> Result<Self, NotStamped> {
        let put: Vec<(&str, &[u8])> =
            stamp.members.iter().map(|(name, value)| (&**name, &value[..])).collect();
        let removed: Vec<&str> = stamp.removed.iter().map(|name| &**name).collect();
        // Some clients write null for an absent value.
        if self.member(Part::Params, "_meta") == Some(b"null") {
            self.edit(Part::Params, &["_meta"], &[]).map_err(|_| NotStamped)?;
            self = self.reread().map_err(|_| NotStamped)?;
        }
        self.edit(Part::Meta, &removed, &put).map_err(|_| NotStamped)?;
        self.reread().map_err(|_| NotStamped)
    }
}

/// Whether an object has no more members.
fn is_over(rest: &[u8]) -> bool {
    rest.trim_ascii_start().first() == Some(&b'}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Limits;

    const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    const LEVEL: &str = "io.modelcontextprotocol/logLevel";
    const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
    }

    fn stamp() -> Stamp {
        Stamp::new(&[(VERSION, br#""2026-07-28""#), ("k", br#"{"a":[1]}"#), (LEVEL, b"\"info\"")], &["gone"])
            .unwrap()
    }

    #[test]
    fn a_value_that_is_no_json_makes_no_stamp() {
        assert!(Stamp::new(&[("k", b"{")], &[]).is_err());
        assert!(Stamp::new(&[(VERSION, b"1"), (VERSION, b"1")], &[]).is_err());
    }

    #[test]
    fn what_has_no_place_for_a_stamp_is_refused() {
        for params in ["[1]", r#"{"_meta":1}"#, r#"{"_meta":[]}"#] {
            let message = message(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{params}}}"#));
            assert!(message.stamped(&stamp()).is_err(), "{params}");
        }
    }

    #[test]
    fn null_is_no_metadata() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":1, "_meta" : null}}"#;
        let stamped = message(text).stamped(&Stamp::new(&[("k", b"1")], &[]).unwrap()).unwrap();
        assert_eq!(
            stamped.to_bytes(),
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"k":1},"x":1}}"#
        );
        assert!(stamped.meta().is_some());
    }

    #[test]
    fn the_stamp_stands_first_and_replaces_its_namesakes() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":1,"_meta":{"k":2,"gone":3,"l":4}}}"#;
        let stamped = message(text).stamped(&stamp()).unwrap();
        assert_eq!(
            stamped.to_bytes(),
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":1,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","k":{"a":[1]},"io.modelcontextprotocol/logLevel":"info","l":4}}}"#
        );
    }

    proptest! {
        #[test]
        fn a_stamp_is_what_an_edit_and_another_scan_would_make(
            params in prop::sample::select(vec![
                "", r#","params":{}"#, r#","params":{ }"#, r#","params" : { "name" : "n" , "arguments":{"_meta":1}}"#,
                r#","params":{"name":"n","_meta":{}}"#, r#","params":{"_meta":{ },"name":"n"}"#,
                r#","params":{"_meta":{"progressToken":"p"},"uri":"u","requestId":7}"#,
                r#","params":{"a":1,"_meta":{ "progressToken":1, "x":{"k":1}} }"#,
                r#","params":{"arguments":{},"requestState":"s","arguments":{"a":1}}"#,
                r#","params":{"requestState":"s","_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{}}}}"#,
                r#","params":{"_meta":{"\u006b":1}}"#, r#","params":{"_meta":{"gone":1,"x":"k"}}"#,
                r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1","io.modelcontextprotocol/subscriptionId":2}}"#,
            ]),
            method in prop::sample::select(vec!["tools/call", "resources/read"]),
            id_is_last in any::<bool>(),
            has_level in any::<bool>(),
        ) {
            let all: [(&str, &[u8]); 4] =
                [(VERSION, br#""2026-07-28""#), ("k", b"{}"), (CAPABILITIES, br#"{"roots":{}}"#), (LEVEL, b"\"info\"")];
            let put = if has_level { &all[..] } else { &all[..3] };
            let (first, last) = if id_is_last { ("", r#","id":"i""#) } else { (r#""id":"i","#, "") };
            let text = format!(r#"{{{first}"jsonrpc":"2.0","method":"{method}"{params}{last}}}"#);
            let mut edited = message(&text);
            edited.edit(Part::Meta, &[LEVEL, "gone"], put).unwrap();
            let edited = edited.reread().unwrap();
            let stamped = message(&text).stamped(&Stamp::new(put, &[LEVEL, "gone"]).unwrap()).unwrap();
            prop_assert_eq!(stamped.to_bytes(), edited.to_bytes());
            prop_assert_eq!(stamped.0.envelope, edited.0.envelope);
        }
    }
}

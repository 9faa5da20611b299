//! The text of an audit record.

use std::io::{self, Write};

use crossway_proto::is_misread;
use serde::Serialize;
use serde_json::ser::Formatter;

/// One line, an object in JSON.
#[derive(Clone, Default)]
pub(super) struct Line(Vec<u8>);

impl Line {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(512))
    }

    /// Begins a member. The name needs no escaping, because it is this program's own.
    pub(super) fn member(&mut self, name: &'static str) -> &mut Vec<u8> {
        let Self(line) = self;
        line.push(if line.is_empty() { b'{' } else { b',' });
        for part in ["\"", name, "\":"] {
            line.extend_from_slice(part.as_bytes());
        }
        line
    }

    /// Adds a text, if there is one, escaped as by [`put`](Self::put).
    pub(super) fn put_text(&mut self, name: &'static str, text: Option<&str>) {
        let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
        match text {
            // Most texts need no escaping.
            Some(text) if text.bytes().fold(true, |all, byte| all & is_plain(byte)) => {
                self.put_word(name, Some(text));
            }
            text => self.put(name, text),
        }
    }

    /// Adds a value, if there is one. [`Escaping`] applies to its text. Writing to memory can't fail.
    pub(super) fn put(&mut self, name: &'static str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            let mut to = serde_json::Serializer::with_formatter(self.member(name), Escaping);
            let _ = value.serialize(&mut to);
        }
    }

    /// Adds a word of this program's own, or digits, without escaping.
    pub(super) fn put_word(&mut self, name: &'static str, word: Option<impl AsRef<[u8]>>) {
        if let Some(word) = word {
            let line = self.member(name);
            line.push(b'"');
            line.extend_from_slice(word.as_ref());
            line.push(b'"');
        }
    }

    pub(super) fn ended(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"}\n");
        self.0
    }
}

/// Writes JSON in which text is also escaped that a reader may take for the end of a line, and text that reorders what is shown. JSON itself
/// escapes only the controls of ASCII; callers choose names and subjects.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, text: &str) -> io::Result<()> {
        if text.is_ascii() {
            return to.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some(at) = rest.find(is_misread) {
            let (before, from) = rest.split_at(at);
            let misread = from.chars().next().unwrap_or_default();
            // All of them are below U+10000, so that no surrogates are needed.
            write!(to, "{before}\\u{:04x}", u32::from(misread))?;
            rest = &from[misread.len_utf8()..];
        }
        to.write_all(rest.as_bytes())
    }
}

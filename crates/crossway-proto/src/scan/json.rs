//! A JSON cursor that validates text against RFC 8259 in one pass, without copying.

use super::Span;
use crate::ParseError;

/// Reads JSON text from start to end.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// All bytes of all strings, or-ed (and some after them). It shows in the end whether anything but ASCII
    /// was seen.
    seen: u8,
    /// The same for bytes that were read as words.
    has_high: u64,
    max_depth: usize,
}

/// A string token: its position, with the quotes, and whether it has escapes.
#[derive(Clone, Copy)]
pub(super) struct StringToken {
    pub(super) span: Span,
    pub(super) escaped: bool,
}

const BLOCK: usize = 32;
const WORDS_FIRST: usize = 4;
const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES * 0x80;

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8], max_depth: usize) -> Self {
        Self { text, at: 0, seen: 0, has_high: 0, max_depth }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn saw_only_ascii(&self) -> bool {
        self.seen < 0x80 && self.has_high == 0
    }

    pub(super) fn text(&self, span: Span) -> &'a [u8] {
        &self.text[span.range()]
    }

    /// The text that was read since `start`, without leading whitespace.
    pub(super) fn without_space(&self, start: usize) -> Span {
        let space = self.text[start..].iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        Span::new(start + space.count(), self.at)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn fail(&self, what: &'static str) -> ParseError {
        ParseError::NotJson { what, at: self.at }
    }

    pub(super) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Skips whitespace, then takes `byte` or fails.
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), ParseError> {
        self.skip_whitespace();
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fail(what))
        }
    }

    /// Skips whitespace, then takes `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Checks that an array or an object may be at nesting level `depth`.
    pub(super) fn check_depth(&self, depth: usize) -> Result<(), ParseError> {
        if depth < self.max_depth { Ok(()) } else { Err(ParseError::TooDeep { limit: self.max_depth }) }
    }

    /// Takes a member's name and the colon after it.
    pub(super) fn key(&mut self) -> Result<StringToken, ParseError> {
        self.skip_whitespace();
        if self.peek() != Some(b'"') {
            return Err(self.fail("a member name was expected"));
        }
        let key = self.string()?;
        self.expect(b':', "a colon was expected")?;
        Ok(key)
    }

    /// Takes a string; the cursor is on its opening quote.
    pub(super) fn string(&mut self) -> Result<StringToken, ParseError> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(StringToken { span: Span::new(start, self.at), escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fail("a control character stands in a string")),
                None => return Err(self.fail("a string is not closed")),
            }
        }
    }

    /// Skips the plain bytes of a string.
    fn skip_plain(&mut self) {
        // Short strings end within a few words, and long ones go by blocks, which the compiler turns into vector
        // instructions.
        for _ in 0..WORDS_FIRST {
            if self.skip_word() {
                return;
            }
        }
        while let Some(block) = self.text[self.at..].first_chunk::<BLOCK>() {
            let (mut special, mut seen) = (0u8, 0u8);
            for &byte in block {
                special |= u8::from(is_special(byte));
                seen |= byte;
            }
            self.seen |= seen;
            if special != 0 {
                break;
            }
            self.at += BLOCK;
        }
        while !self.skip_word() {}
    }

    /// Skips up to eight plain bytes of a string. Returns whether their end is reached.
    #[inline]
    fn skip_word(&mut self) -> bool {
        let Some(word) = self.text[self.at..].first_chunk::<8>() else {
            while let Some(byte) = self.peek().filter(|byte| !is_special(*byte)) {
                self.seen |= byte;
                self.at += 1;
            }
            return true;
        };
        let word = u64::from_le_bytes(*word);
        self.has_high |= word & HIGHS;
        let special = special_bytes(word);
        self.at += if special == 0 { 8 } else { special.trailing_zeros() as usize / 8 };
        special != 0
    }

    /// Takes an escape; the cursor is on its backslash.
    fn escape(&mut self) -> Result<(), ParseError> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.fail("\\u without four hexadecimal digits"));
                }
                self.at += 6;
            }
            _ => return Err(self.fail("an unknown escape")),
        }
        Ok(())
    }

    /// Takes a value of any kind at nesting level `depth`, and returns its position.
    pub(super) fn value(&mut self, depth: usize) -> Result<Span, ParseError> {
        self.skip_whitespace();
        let start = self.at;
        match self.peek() {
            Some(b'{' | b'[') => self.containers(depth)?,
            _ => self.scalar()?,
        }
        Ok(Span::new(start, self.at))
    }

    fn scalar(&mut self) -> Result<(), ParseError> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.fail("a value was expected")),
            None => Err(self.fail("the text ends where a value was expected")),
        }
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), ParseError> {
        if self.text[self.at..].starts_with(literal) {
            self.at += literal.len();
            Ok(())
        } else {
            Err(self.fail("a value was expected"))
        }
    }

    fn number(&mut self) -> Result<(), ParseError> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.fail("a digit was expected")) } else { Ok(()) }
    }

    /// Takes an array or an object with its contents, without recursion.
    fn containers(&mut self, depth: usize) -> Result<(), ParseError> {
        // The closing byte of each open container; at most as many as the text is deep.
        let mut open: smallvec::SmallVec<[u8; 32]> = smallvec::SmallVec::new();
        loop {
            self.skip_whitespace();
            match self.peek() {
                Some(b @ (b'{' | b'[')) => {
                    self.check_depth(depth + open.len())?;
                    self.at += 1;
                    let close = if b == b'{' { b'}' } else { b']' };
                    if !self.take(close) {
                        open.push(close);
                        if close == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // A value has ended: close the containers that end with it, or go on to the next value.
            loop {
                let Some(&close) = open.last() else { return Ok(()) };
                self.skip_whitespace();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if close == b'}' {
                            self.key()?;
                        }
                        break;
                    }
                    Some(byte) if byte == close => {
                        self.at += 1;
                        open.pop();
                    }
                    _ => return Err(self.fail("a comma or a closing bracket was expected")),
                }
            }
        }
    }
}

/// Marks with their highest bits the bytes of a word that end the plain part of a string. The lowest mark is exact;
/// those above it may be false, since a subtraction carries upwards.
#[inline]
fn special_bytes(word: u64) -> u64 {
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let is_byte = |byte: u8| is_zero(word ^ (ONES * u64::from(byte)));
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_byte(b'"') | is_byte(b'\\') | is_control) & HIGHS
}

/// Whether a byte ends the plain part of a string.
#[inline]
fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

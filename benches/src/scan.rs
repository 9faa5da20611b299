//! A scanner of JSON text that copies nothing: it finds members and leaves values as they are.
//!
//! The scanner checks only as much as it needs to find where a value ends. That is enough for the tools here, which read what they or a
//! server under test wrote, and it adds little to the measured time: a string is skipped at the speed of `memchr`.

/// The text is not JSON, or not of the shape that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed JSON near byte {at}")]
pub(crate) struct Malformed {
    /// The offset in the scanned text at which the scanner gave up.
    pub at: usize,
}

/// A key and its value, raw.
pub(crate) type Member<'a> = (&'a [u8], &'a [u8]);

/// The members of an object, in their order, as raw text.
///
/// Keys come without their quotes and unescaped, values as they stand.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    text: &'a [u8],
    at: usize,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Start,
    Within,
    Over,
}

/// Reads the object that `text` is. Anything after it but white space is malformed.
pub(crate) fn members(text: &[u8]) -> Members<'_> {
    Members { text, at: 0, state: State::Start }
}

/// The raw value of the first member with the name `key`; `None` if `object` has none or is not an object.
pub(crate) fn member<'a>(object: &'a [u8], key: &str) -> Option<&'a [u8]> {
    members(object).map_while(Result::ok).find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
}

/// The raw first element of an array.
pub(crate) fn first_element(array: &[u8]) -> Option<&[u8]> {
    let start = skip_space(array, 0);
    if array.get(start) != Some(&b'[') {
        return None;
    }
    let start = skip_space(array, start + 1);
    if array.get(start) == Some(&b']') {
        return None;
    }
    let end = value_end(array, start).ok()?;
    Some(&array[start..end])
}

/// The text between the quotes of a raw string, still escaped.
pub(crate) fn string_content(raw: &[u8]) -> Option<&[u8]> {
    match raw {
        [b'"', content @ .., b'"'] => Some(content),
        _ => None,
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Over {
            return None;
        }
        let next = self.advance();
        if !matches!(next, Ok(Some(_))) {
            self.state = State::Over;
        }
        next.transpose()
    }
}

impl<'a> Members<'a> {
    fn advance(&mut self) -> Result<Option<Member<'a>>, Malformed> {
        let text = self.text;
        if self.state == State::Start {
            self.at = skip_space(text, self.at);
            self.expect(b'{')?;
            self.at = skip_space(text, self.at);
            if text.get(self.at) == Some(&b'}') {
                return self.finish();
            }
            self.state = State::Within;
        } else {
            self.at = skip_space(text, self.at);
            match text.get(self.at) {
                Some(b',') => self.at = skip_space(text, self.at + 1),
                Some(b'}') => return self.finish(),
                _ => return Err(Malformed { at: self.at }),
            }
        }
        self.expect(b'"')?;
        let key_start = self.at;
        self.at = string_end(text, key_start)?;
        let key = &text[key_start..self.at - 1];
        self.at = skip_space(text, self.at);
        self.expect(b':')?;
        let value_start = skip_space(text, self.at);
        self.at = value_end(text, value_start)?;
        Ok(Some((key, &text[value_start..self.at])))
    }

    fn finish<T>(&mut self) -> Result<Option<T>, Malformed> {
        let end = skip_space(self.text, self.at + 1);
        if end == self.text.len() { Ok(None) } else { Err(Malformed { at: end }) }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.text.get(self.at) != Some(&byte) {
            return Err(Malformed { at: self.at });
        }
        self.at += 1;
        Ok(())
    }
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = text.get(at) {
        at += 1;
    }
    at
}

/// The offset behind the closing quote of the string whose content begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> Result<usize, Malformed> {
    loop {
        let rest = text.get(at..).ok_or(Malformed { at })?;
        match memchr::memchr2(b'"', b'\\', rest) {
            None => return Err(Malformed { at: text.len() }),
            Some(offset) if rest[offset] == b'"' => return Ok(at + offset + 1),
            Some(offset) => at += offset + 2,
        }
    }
}

/// The offset behind the value that begins at `at`. Needs no stack, so depth costs nothing.
fn value_end(text: &[u8], start: usize) -> Result<usize, Malformed> {
    let mut at = start;
    let mut depth = 0_usize;
    loop {
        match text.get(at) {
            Some(b'"') => at = string_end(text, at + 1)?,
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
                continue;
            }
            Some(b'}' | b']') if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            Some(b',' | b':' | b' ' | b'\t' | b'\r' | b'\n') if depth > 0 => {
                at += 1;
                continue;
            }
            Some(b'a'..=b'z' | b'0'..=b'9' | b'-') => {
                while let Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.') = text.get(at) {
                    at += 1;
                }
            }
            _ => return Err(Malformed { at }),
        }
        if depth == 0 {
            return Ok(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_raw_and_in_their_order() {
        let text = br#" { "id" : 1e2, "a": "x\"y\\" ,"o":{"id":[1,{"b":"]"}]}, "n":null } "#;
        let all: Vec<_> = members(text).collect::<Result<_, _>>().unwrap();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"id", b"1e2"), (b"a", br#""x\"y\\""#), (b"o", br#"{"id":[1,{"b":"]"}]}"#), (b"n", b"null")];
        assert_eq!(all, expected);
    }

    #[test]
    fn an_empty_object_has_no_members() {
        assert_eq!(members(b" { } ").count(), 0);
    }

    #[test]
    fn text_that_breaks_off_is_malformed() {
        let whole = br#"{"a":{"b":["c",1]},"d":"e"}"#;
        for end in 0..whole.len() {
            assert!(members(&whole[..end]).any(|m| m.is_err()), "cut at {end}");
        }
        assert!(members(whole).all(|m| m.is_ok()));
    }

    #[test]
    fn text_after_the_object_is_malformed() {
        assert!(members(b"{} {}").any(|m| m.is_err()));
        assert!(members(b"[]").any(|m| m.is_err()));
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(member(deep.as_bytes(), "a").map(<[u8]>::len), Some(2_000_000));
    }

    #[test]
    fn the_first_element_of_an_array_is_found() {
        assert_eq!(first_element(b" [ {\"a\":1} , 2]"), Some(&b"{\"a\":1}"[..]));
        assert_eq!(first_element(b"[ ]"), None);
        assert_eq!(first_element(b"{}"), None);
    }
}

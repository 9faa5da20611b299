//! Finds the request id in a message that can't be parsed, from its head or tail.
//!
//! A call whose answer is lost must not wait forever. So if a message is too long or invalid, the call's id is searched in
//! the part that is known.

use crate::RequestId;

/// What the first bytes of a message show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// An object with this id, and without a method as far as can be seen.
    Answer(RequestId),
    /// A request or a notification of the server, with its id if that was seen.
    Asked(Option<RequestId>),
    /// An object or an array whose purpose can't be seen.
    Unknown,
    /// Not a JSON structure.
    Noise,
}

/// Classifies a message by the members of its outermost object, as far as the head goes. Reads no further than the head, and copies
/// nothing but the id.
#[must_use]
pub fn head(head: &[u8]) -> Head {
    let mut look = Look { text: head, at: 0 };
    match look.token() {
        Some(Token::Open(b'{')) => {}
        Some(Token::Open(_)) => return Head::Unknown,
        _ => return Head::Noise,
    }
    let (mut id, mut has_method) = (None, false);
    while let Some(key) = look.key() {
        match key {
            b"\"id\"" => id = look.scalar().and_then(RequestId::parse),
            b"\"method\"" => {
                has_method = true;
                look.value();
            }
            _ => look.value(),
        }
    }
    match id {
        id if has_method => Head::Asked(id),
        Some(id) => Head::Answer(id),
        None => Head::Unknown,
    }
}

/// Returns the id if it is a number and the last member of the outermost object: `...,"id":7}`.
#[must_use]
pub fn tail(tail: &[u8]) -> Option<RequestId> {
    let number_end = tail.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    let digits = number_end.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, number) = number_end.split_at(number_end.len() - digits);
    let before = before.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    // Within a string the quotes would be escaped, and the backslash would stand here.
    let before = before.strip_suffix(b"\"id\"")?.trim_ascii_end();
    matches!(before.last(), Some(b',' | b'{')).then(|| RequestId::parse(number))?
}

enum Token<'a> {
    Open(u8),
    Close,
    Text(&'a [u8]),
}

/// A walk over JSON text that may end anywhere and may be invalid.
struct Look<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Look<'a> {
    /// Returns the next bracket, string or bare word; `None` if the text ends within it.
    fn token(&mut self) -> Option<Token<'a>> {
        while let b' ' | b'\t' | b',' | b':' | b'\r' | b'\n' = self.text.get(self.at)? {
            self.at += 1;
        }
        let start = self.at;
        match self.text[start] {
            bracket @ (b'{' | b'[') => {
                self.at += 1;
                Some(Token::Open(bracket))
            }
            b'}' | b']' => {
                self.at += 1;
                Some(Token::Close)
            }
            b'"' => {
                self.at += 1;
                loop {
                    match self.text.get(self.at)? {
                        b'"' => break,
                        b'\\' => self.at += 2,
                        _ => self.at += 1,
                    }
                }
                self.at += 1;
                Some(Token::Text(&self.text[start..self.at]))
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                self.at += self.text[start..].iter().position(is_end)?;
                Some(Token::Text(&self.text[start..self.at]))
            }
        }
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        match self.token()? {
            Token::Text(key) => Some(key),
            _ => None,
        }
    }

    fn scalar(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        match self.token()? {
            Token::Text(scalar) => Some(scalar),
            _ => {
                self.at = start;
                self.value();
                None
            }
        }
    }

    /// Skips a value, or the rest of the text if that ends first.
    fn value(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.token() {
                Some(Token::Open(_)) => depth += 1,
                Some(Token::Close) => depth = depth.saturating_sub(1),
                Some(Token::Text(_)) => {}
                None => {
                    self.at = self.text.len();
                    return;
                }
            }
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> RequestId {
        RequestId::from(number)
    }

    #[test]
    fn the_id_is_found_among_the_first_members() {
        assert_eq!(head(br#"{"jsonrpc":"2.0","id":65536,"result":{"text":"lorem"#), Head::Answer(id(65536)));
        assert_eq!(head(br#" { "id" : 7 , "result":[{"id":8"#), Head::Answer(id(7)));
        assert_eq!(head(br#"{"meta":{"id":1,"x":[{"id":2}]},"id":3,"result":""#), Head::Answer(id(3)));
    }

    #[test]
    fn an_id_within_a_value_or_cut_off_is_none() {
        assert_eq!(head(br#"{"jsonrpc":"2.0","result":{"id":5,"text":"lorem"#), Head::Unknown);
        assert_eq!(head(br#"{"x":"\"id\":5,","result":{"te"#), Head::Unknown);
        assert_eq!(head(br#"{"jsonrpc":"2.0","id":655"#), Head::Unknown);
        assert_eq!(head(br#"[{"jsonrpc":"2.0","id":1,"result":{}},"#), Head::Unknown);
    }

    #[test]
    fn a_request_of_the_server_is_told_from_an_answer() {
        let request = br#"{"id":9,"method":"sampling/createMessage","params":{"messages":["#;
        assert_eq!(head(request), Head::Asked(Some(id(9))));
        assert_eq!(
            head(br#"{"method":"notifications/message","params":{"id":3,"data":""#),
            Head::Asked(None)
        );
    }

    #[test]
    fn text_that_is_no_structure_is_noise() {
        for noise in [&b"Listening on stdio"[..], b"", b"   ", b"\"id\":3", b"12"] {
            assert_eq!(head(noise), Head::Noise);
        }
    }

    #[test]
    fn the_id_is_found_at_the_very_end() {
        assert_eq!(tail(br#"lorem"}]},"jsonrpc":"2.0","id":131073}"#), Some(id(131073)));
        assert_eq!(tail(b"],\"id\" : 4 } \r"), Some(id(4)));
    }

    #[test]
    fn an_id_at_the_end_of_something_else_is_none() {
        for other in
            [&br#""result":{"id":5}}"#[..], br#"x\"id":5}"#, br#","id":"5"}"#, br#","id":}"#, b"}", b""]
        {
            assert_eq!(tail(other), None);
        }
    }
}

//! Removes comments and trailing commas from JSON, which editors allow.

use std::borrow::Cow;

/// Replaces comments (`//`, `/* */`) and a comma before `}` or `]` by spaces. Everything else keeps its place, so that line and column in
/// errors stay correct. A text without either is returned unchanged.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let blanks = blanks(text.as_bytes());
    if blanks.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = 0;
    for (from, to) in blanks {
        plain.push_str(&text[rest..from]);
        // Keeps the number of bytes and the ends of lines.
        plain.extend(text[from..to].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        rest = to;
    }
    plain.push_str(&text[rest..]);
    Cow::Owned(plain)
}

/// Returns the ranges of comments and trailing commas, in order. Both begin and end with ASCII, so each range is a valid slice of the text.
fn blanks(text: &[u8]) -> Vec<(usize, usize)> {
    let mut blanks: Vec<(usize, usize)> = Vec::new();
    // The comma that may be a trailing one, with its place among the blanks; and whether a value has ended before this position.
    let (mut comma, mut after_value) = (None, false);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let end = match byte {
            b'/' if rest.starts_with(b"//") => at + length_until(rest, b"\n"),
            b'/' if rest.starts_with(b"/*") => at + length_until(rest, b"*/") + 2,
            _ => {
                match byte {
                    b',' if after_value => comma = Some((blanks.len(), at)),
                    b'}' | b']' => {
                        if let Some((place, comma)) = comma.take() {
                            blanks.insert(place, (comma, comma + 1));
                        }
                    }
                    byte if byte.is_ascii_whitespace() => {}
                    _ => comma = None,
                }
                if !byte.is_ascii_whitespace() {
                    after_value = !matches!(byte, b',' | b'{' | b'[' | b':');
                }
                at += if byte == b'"' { string_length(rest) } else { 1 };
                continue;
            }
        };
        let end = end.min(text.len());
        blanks.push((at, end));
        at = end;
    }
    blanks
}

/// Returns the number of bytes before `end`, or the whole length without an `end`.
fn length_until(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).position(|window| window == end).unwrap_or(text.len())
}

/// Returns the length of the string at the start of the text, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_and_last_commas_become_spaces() {
        for (text, wanted) in [
            ("{\"a\": 1} // b", "{\"a\": 1}     "),
            ("{ /* ü\n */ \"a\": [1, 2,], }", "{      \n    \"a\": [1, 2 ]  }"),
            ("[1, // one\n]", "[1        \n]"),
            ("[1 /*,*/, /* , */ ]", "[1                ]"),
            ("{\"a//b\": \"/*\\\"*/,}\"}", "{\"a//b\": \"/*\\\"*/,}\"}"),
            // Still mistakes.
            ("{,}", "{,}"),
            ("[1,,]", "[1,,]"),
            ("[,1]", "[,1]"),
            ("[1 / 2]", "[1 / 2]"),
            ("[1] /*", "[1]   "),
            ("\"open, // ]", "\"open, // ]"),
        ] {
            assert_eq!(plain(text), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_moves_and_json_stays_as_it_is(text in "[\\[\\]{},:\"\\\\/* \\na1\u{fc}]{0,40}") {
            let plain = plain(&text);
            prop_assert_eq!(plain.len(), text.len());
            prop_assert_eq!(plain.lines().count(), text.lines().count());
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert_eq!(&*plain, &text);
            }
        }
    }
}

//! Removes comments and trailing commas from JSON, which editors allow.

use std::borrow::Cow;

/// The text with spaces where it has comments (`//`, `/* */`) or a comma before `}` or `]`. All else keeps its place, for errors that tell
/// line and column. A text without either is given back as it is.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let blanks = blanks(text.as_bytes());
    if blanks.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = 0;
    for (from, to) in blanks {
        plain.push_str(&text[rest..from]);
        // As many bytes as before, and lines end where they did.
        plain.extend(text[from..to].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        rest = to;
    }
    plain.push_str(&text[rest..]);
    Cow::Owned(plain)
}

/// Where comments and last commas stand, in order. Both begin and end with ASCII, so that each is a slice of the text.
fn blanks(text: &[u8]) -> Vec<(usize, usize)> {
    let mut blanks: Vec<(usize, usize)> = Vec::new();
    // The comma that may be a last one, with its place among the blanks; and whether a value has ended before here.
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

/// How many bytes there are before `end`, or in all if it never comes.
fn length_until(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).position(|window| window == end).unwrap_or(text.len())
}

/// How long the string is that begins here, with its quotes.
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

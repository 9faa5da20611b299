//! Text of others as text that is safe to show: in logs, on terminals, in errors.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether readers may misread text because of this character: a control (U+001B begins a terminal's escape sequence, U+0085 ends a line), a
/// line or paragraph separator, or a control of bidirectional text (UAX #9, section 2).
#[must_use]
pub fn is_misread(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}')
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the text as one line without characters that are [misread](is_misread): they become `\n`, `\r`, `\t` or `\uXXXX`, as in JSON.
/// Changes nothing in its own result.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, is_misread)
}

/// Like [`printable`], but keeps line feeds: for output of several lines.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |character| character != '\n' && is_misread(character))
}

/// Like [`printable`], but escapes only the characters for which `is_misread` is true. They must be below U+10000.
#[must_use]
pub fn escape(text: &str, is_misread: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_misread) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            character if !is_misread(character) => shown.push(character),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to memory does not fail.
            character => drop(write!(shown, "\\u{:04x}", u32::from(character))),
        }
    }
    Cow::Owned(shown)
}

/// Returns at most this many characters of a text, [printable](printable): ` [cut]` replaces the rest.
#[must_use]
pub fn excerpt(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => printable(&text[..end]).into_owned() + " [cut]",
        None => printable(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_shown_can_not_pass_for_another() {
        let text = "a\u{1b}[2J\u{7}\r\n2026 ERROR\t\u{85}\u{9b}\u{202e}\u{2066}\u{2028}\u{61c}\u{7f} \u{e4} \\ \u{200d}";
        let shown = r"a\u001b[2J\u0007\r\n2026 ERROR\t\u0085\u009b\u202e\u2066\u2028\u061c\u007f ";
        assert_eq!(printable(text), format!("{shown}\u{e4} \\ \u{200d}"));
        assert_eq!(printable(&printable(text)), printable(text));
        assert!(matches!(printable("as it is \u{e4}"), Cow::Borrowed(_)));
        assert_eq!(printable_lines("a\nb\r\u{1b}\n"), "a\nb\\r\\u001b\n");
    }

    #[test]
    fn an_excerpt_is_cut_between_characters() {
        assert_eq!(excerpt("\u{e4}\u{e4}\n\u{e4}", 3), "\u{e4}\u{e4}\\n [cut]");
        assert_eq!(excerpt("\u{e4}\u{e4}\u{e4}", 3), "\u{e4}\u{e4}\u{e4}");
    }
}

//! Validates names and other identity texts.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

use super::limits;

/// Reads a text or `null`. `null` means `None`, not the default.
pub(super) fn text_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct TextOrNone;
    impl Visitor<'_> for TextOrNone {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
            Ok(None)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<String>, E> {
            Ok(Some(text.to_owned()))
        }
    }
    from.deserialize_any(TextOrNone)
}

/// Whether a text can be a name: not empty, not too long, and without invisible characters. Names are compared byte for
/// byte, so that look-alikes are different names.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= limits::TEXT_BYTES && !text.chars().any(is_unseen)
}

/// Whether a character is a control character, changes the direction of text, or has no width.
pub(super) fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
}

/// Whether a text can be an e-mail address that rights depend on: one word, with something before its last `@` and a
/// domain behind it.
pub(super) fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    is_name(text)
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>'))
        && parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_characters_that_nobody_sees() {
        for text in ["alice", "a b", "Ünï", "\u{430}lice", "1"] {
            assert!(is_name(text), "{text:?}");
        }
        for text in ["", "a\0", "a\n", "\u{202e}ecila", "a\u{200b}", "\u{feff}a", "a\u{7f}", "a\u{ad}"] {
            assert!(!is_name(text), "{text:?}");
        }
        assert!(is_name(&"a".repeat(limits::TEXT_BYTES)) && !is_name(&"a".repeat(limits::TEXT_BYTES + 1)));
    }

    #[test]
    fn an_address_is_one_word_with_something_on_both_sides() {
        for text in ["a@b", "\"a@b\"@c.example", "ä@b.example"] {
            assert!(is_email(text), "{text:?}");
        }
        for text in ["", "@", "a@", "@b", "a", "a@b, c@d", "a @b", "a@b\u{a0}", "<a@b>", "a@b;c@d", "a@b\0"] {
            assert!(!is_email(text), "{text:?}");
        }
    }
}

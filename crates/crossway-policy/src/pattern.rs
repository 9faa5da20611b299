//! Patterns for names and URIs: compared byte for byte, case included.

use std::fmt;
use std::sync::Arc;

use globset::GlobBuilder;
use regex_automata::{meta::Regex, util::syntax};

use crate::fold::fold;
use crate::limits;

/// What a pattern is matched against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A name: `*` matches anything.
    Name,
    /// A URI: `*` matches anything but `/`, `**` between slashes matches anything.
    Uri,
}

/// A pattern that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPattern {
    /// The pattern is empty, and would match nothing.
    #[error("is empty")]
    Empty,
    /// The pattern is longer than a pattern may be.
    #[error("has more than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// The pattern has more wildcards than a pattern may have.
    #[error("has more than {limit} of * ? [ {{")]
    TooManyWildcards {
        /// The bound.
        limit: usize,
    },
    /// The pattern is not a glob: a bracket or brace is not closed, or a range is reversed.
    #[error("is no pattern: a [ or {{ without its end, or a range that ends before it begins")]
    NoGlob,
    /// `**` is not alone between two slashes.
    #[error("has ** within a segment; it stands for segments and must be alone between slashes")]
    DoubleStar,
    /// A range has letters outside of ASCII, which are several bytes.
    #[error("has letters outside of ASCII in [ ], where each stands for one byte")]
    WideClass,
    /// The compiled pattern would be too large.
    #[error("is too large when compiled: more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
}

/// A compiled pattern. Most are a name, or a name with one `*`, and cost one comparison. Clones of an automaton share it.
#[derive(Clone)]
pub(crate) enum Pattern {
    Any,
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Around(Box<str>, Box<str>),
    Contains(Box<str>),
    Automaton(Arc<Automaton>),
}

/// A glob that fits none of the other variants, as text and as a regular expression.
pub(crate) struct Automaton {
    text: Box<str>,
    regex: Regex,
}

impl Pattern {
    pub(crate) fn compile(text: &str, of: Of) -> Result<Self, BadPattern> {
        Self::compile_by(text, of, |make| make())
    }

    /// Like [`compile`](Self::compile), but `by` may look up an automaton of this text, as calling its argument to make one is slow.
    pub(crate) fn compile_by(
        text: &str,
        of: Of,
        by: impl FnOnce(&dyn Fn() -> Result<Self, BadPattern>) -> Result<Self, BadPattern>,
    ) -> Result<Self, BadPattern> {
        let wildcards = text.bytes().filter(|byte| b"*?[{".contains(byte)).count();
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        if text.len() > limits::PATTERN_BYTES {
            return Err(BadPattern::TooLong { limit: limits::PATTERN_BYTES });
        }
        if wildcards > limits::PATTERN_WILDCARDS {
            return Err(BadPattern::TooManyWildcards { limit: limits::PATTERN_WILDCARDS });
        }
        if of == Of::Uri && text.split('/').any(|segment| segment != "**" && segment.contains("**")) {
            return Err(BadPattern::DoubleStar);
        }
        match simple(text, of) {
            Some(simple) => Ok(simple),
            None => by(&|| automaton(text, of)),
        }
    }

    /// A prefix of all names that match.
    pub(crate) fn beginning(&self) -> &str {
        match self {
            Self::Exact(beginning) | Self::Prefix(beginning) | Self::Around(beginning, _) => beginning,
            Self::Any | Self::Suffix(_) | Self::Contains(_) | Self::Automaton(_) => "",
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *name,
            Self::Prefix(prefix) => name.starts_with(&**prefix),
            Self::Suffix(suffix) => name.ends_with(&**suffix),
            Self::Around(prefix, suffix) => {
                name.len() >= prefix.len() + suffix.len()
                    && name.starts_with(&**prefix)
                    && name.ends_with(&**suffix)
            }
            Self::Contains(part) => name.contains(&**part),
            Self::Automaton(automaton) => automaton.regex.is_match(name),
        }
    }

    /// Returns a pattern for case-folded names. It matches every name whose original this pattern may match in some spelling, and perhaps
    /// more. `None` if there is no such pattern.
    pub(crate) fn folded(&self) -> Option<Self> {
        let fold = |text: &str| fold(text).into_boxed_str();
        Some(match self {
            Self::Any => Self::Any,
            Self::Exact(text) => Self::Exact(fold(text)),
            Self::Prefix(text) => Self::Prefix(fold(text)),
            Self::Suffix(text) => Self::Suffix(fold(text)),
            Self::Around(prefix, suffix) => Self::Around(fold(prefix), fold(suffix)),
            Self::Contains(text) => Self::Contains(fold(text)),
            Self::Automaton(own) => automaton(&without_classes(&fold(&own.text)), Of::Name).ok()?,
        })
    }

    /// The name, if the pattern is a plain name.
    pub(crate) fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(exact) => Some(exact),
            _ => None,
        }
    }

    pub(crate) fn is_automaton(&self) -> bool {
        matches!(self, Self::Automaton(..))
    }

    /// The pattern as text. Two patterns of one kind are equal if and only if their texts are. A `**` of URIs differs from a `*`.
    pub(crate) fn canonical(&self) -> String {
        match self {
            Self::Any => "any".to_owned(),
            Self::Exact(text) => format!("exact {text:?}"),
            Self::Prefix(text) => format!("prefix {text:?}"),
            Self::Suffix(text) => format!("suffix {text:?}"),
            Self::Around(prefix, suffix) => format!("around {prefix:?} {suffix:?}"),
            Self::Contains(text) => format!("contains {text:?}"),
            Self::Automaton(automaton) => format!("automaton {:?}", automaton.text),
        }
    }

    /// Whether this pattern matches everything that the other one matches. False unless that is obvious.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Exact(name)) => self.matches(name),
            (Self::Prefix(a), Self::Prefix(b) | Self::Around(b, _)) => b.starts_with(&**a),
            (Self::Suffix(a), Self::Suffix(b) | Self::Around(_, b)) => b.ends_with(&**a),
            (Self::Around(a, b), Self::Around(c, d)) => c.starts_with(&**a) && d.ends_with(&**b),
            (Self::Contains(a), Self::Contains(b) | Self::Prefix(b) | Self::Suffix(b)) => b.contains(&**a),
            (Self::Contains(a), Self::Around(b, c)) => b.contains(&**a) || c.contains(&**a),
            (Self::Automaton(a), Self::Automaton(b)) => a.text == b.text,
            _ => false,
        }
    }

    /// Whether no name can match both patterns. False unless that is obvious.
    pub(crate) fn is_apart(&self, other: &Self) -> bool {
        let ends = |pattern: &Self| match pattern {
            Self::Prefix(prefix) => (prefix.clone(), "".into()),
            Self::Suffix(suffix) => ("".into(), suffix.clone()),
            Self::Around(prefix, suffix) => (prefix.clone(), suffix.clone()),
            _ => <(Box<str>, Box<str>)>::default(),
        };
        let ((a, b), (c, d)) = (ends(self), ends(other));
        let begin_alike = a.starts_with(&*c) || c.starts_with(&*a);
        let end_alike = b.ends_with(&*d) || d.ends_with(&*b);
        !(begin_alike && end_alike)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(text) => f.write_str(text),
            Self::Automaton(automaton) => f.write_str(&automaton.text),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::Suffix(text) => write!(f, "*{text}"),
            Self::Around(prefix, suffix) => write!(f, "{prefix}*{suffix}"),
            Self::Contains(text) => write!(f, "*{text}*"),
        }
    }
}

fn simple(text: &str, of: Of) -> Option<Pattern> {
    if text == "*" || text == "**" {
        return Some(Pattern::Any);
    }
    if text.bytes().any(|byte| b"?[]{}\\".contains(&byte)) {
        return None;
    }
    let parts: Vec<&str> = text.split('*').collect();
    match (of, parts[..].as_ref()) {
        (_, [exact]) => Some(Pattern::Exact((*exact).into())),
        (Of::Name, [prefix, ""]) => Some(Pattern::Prefix((*prefix).into())),
        (Of::Name, ["", suffix]) => Some(Pattern::Suffix((*suffix).into())),
        (Of::Name, [prefix, suffix]) => Some(Pattern::Around((*prefix).into(), (*suffix).into())),
        (Of::Name, ["", part, ""]) => Some(Pattern::Contains((*part).into())),
        (Of::Uri, [prefix, "", ""]) if prefix.ends_with('/') => Some(Pattern::Prefix((*prefix).into())),
        _ => None,
    }
}

fn automaton(text: &str, of: Of) -> Result<Pattern, BadPattern> {
    let class = |part: &str| part.split(']').next().is_some_and(|class| !class.is_ascii());
    if text.split('[').skip(1).any(class) {
        return Err(BadPattern::WideClass);
    }
    let glob = GlobBuilder::new(text)
        .case_insensitive(false)
        .literal_separator(of == Of::Uri)
        .backslash_escape(true)
        .empty_alternates(true)
        .build()
        .map_err(|_| BadPattern::NoGlob)?;
    // Not globset's own matcher: it takes names for paths, and on Windows `\` for `/`.
    let bytes = syntax::Config::new().utf8(false).dot_matches_new_line(true);
    let bounds = Regex::config()
        .utf8_empty(false)
        .nfa_size_limit(Some(limits::AUTOMATON_BYTES))
        .hybrid(false)
        .onepass(false);
    let regex = Regex::builder().configure(bounds).syntax(bytes).build(glob.regex());
    let regex = regex.map_err(|_| BadPattern::TooLarge { limit: limits::AUTOMATON_BYTES })?;
    Ok(Pattern::Automaton(Arc::new(Automaton { text: text.into(), regex })))
}

/// Replaces each range of a glob by `?`: case folding changes which letters a range has.
fn without_classes(glob: &str) -> String {
    let mut wide = String::with_capacity(glob.len());
    let mut rest = glob.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => wide.extend([Some(letter), rest.next()].into_iter().flatten()),
            '[' => {
                // A bracket at the start of a range is one of its letters.
                let mut first = rest.next();
                if matches!(first, Some('!' | '^')) {
                    first = rest.next();
                }
                if first.is_some() {
                    rest.by_ref().find(|letter| *letter == ']');
                }
                wide.push('?');
            }
            other => wide.push(other),
        }
    }
    wide
}

/// Whether servers may read the URI as another one: dot segments, with or without parameters (`..;a`), an upper-case scheme, letters and
/// digits that are percent-encoded (RFC 3986, section 6.2.2), or spaces and control characters, which no URI has and parsers leave out (URL
/// Standard, basic URL parser: "Remove all ASCII tab or newline from input").
///
/// Patterns with wildcards don't grant such URIs: `wiki://public/../secret` begins like `wiki://public/**`.
pub(crate) fn is_ambiguous(uri: &str) -> bool {
    let bytes = uri.as_bytes();
    let scheme = uri.find(':').map_or(&[][..], |end| &bytes[..end]);
    if scheme.iter().any(u8::is_ascii_uppercase) {
        return true;
    }
    // Segments end at `/` and `\`, plain or encoded, and their significant part at `;`. Only their dots are counted; `other` says that
    // there is more in them.
    let (mut dots, mut other, mut at) = (0, true, 0);
    while at < bytes.len() {
        let (byte, width) = match bytes[at] {
            b'%' => match bytes.get(at + 1..at + 3).and_then(hex) {
                Some(byte) => (byte, 3),
                None => (b'%', 1),
            },
            byte => (byte, 1),
        };
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_blank = byte < b' ' || byte == 0x7f || byte == b' ' && width == 1;
        if is_blank || width == 3 && unreserved {
            return true;
        }
        match byte {
            b'/' | b'\\' | b'?' | b'#' | b'=' | b'&' | b';' => {
                if !other && (1..=2).contains(&dots) {
                    return true;
                }
                (dots, other) = (0, byte == b';');
            }
            b'.' => dots += 1,
            // An encoded space: Windows ignores spaces at the end of a name.
            b' ' => {}
            _ => other = true,
        }
        at += width;
    }
    !other && (1..=2).contains(&dots)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(digits[0])? << 4 | digit(digits[1])?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_folded_pattern_matches_whatever_letters_the_other_one_is_written_in() {
        for (pattern, names) in [
            ("delete_all", &["DELETE_ALL", "Delete_All", "delete_all"][..]),
            ("Delete_*", &["delete_x", "DELETE_X"]),
            ("*_ALL", &["delete_all"]),
            ("a*B", &["A-b"]),
            ("*Key*", &["my_key_x"]),
            ("[A-F]x", &["ax", "fX"]),
            ("[!a]x", &["AX"]),
            ("[]A]x", &["aX", "]x"]),
            ("{Get,List}_?", &["get_A", "LIST_a"]),
            (r"\*X[A]", &["*xa"]),
        ] {
            let folded = Pattern::compile(pattern, Of::Name).unwrap().folded().unwrap();
            for name in names {
                assert!(folded.matches(&fold(name)), "{pattern} {name}");
            }
            assert!(!folded.matches("another_name"), "{pattern}");
        }
    }

    fn matches(pattern: &str, of: Of, name: &str) -> bool {
        Pattern::compile(pattern, of).unwrap().matches(name)
    }

    #[test]
    fn names_match_byte_for_byte() {
        for (pattern, yes, no) in [
            ("get", "get", "Get"),
            ("get_*", "get_", "get"),
            ("*_get", "a_get", "a_gets"),
            ("a*b", "ab", "aba"),
            ("ab*ba", "abba", "aba"),
            ("*del*", "undelete", "de"),
            ("get_?", "get_a", "get_ab"),
            ("get_{a,b}", "get_b", "get_c"),
            ("[a-c]x", "bx", "Bx"),
            ("[!a]x", "bx", "ax"),
            (r"a\*", "a*", "ab"),
            ("*", "a/b\nc", ""),
            ("a*b*c", "a/b/c", "acb"),
        ] {
            assert!(matches(pattern, Of::Name, yes), "{pattern} {yes}");
            assert!(pattern == "*" || !matches(pattern, Of::Name, no), "{pattern} {no}");
        }
        // U+00E9 is another text than e with U+0301, and K is not the Kelvin sign.
        assert!(!matches("caf\u{e9}", Of::Name, "cafe\u{301}"));
        assert!(!matches("[k]", Of::Name, "\u{212a}"));
        // `?` is one byte.
        assert!(!matches("?", Of::Name, "\u{e9}") && matches("??", Of::Name, "\u{e9}"));
    }

    #[test]
    fn in_uris_a_star_stays_within_its_segment() {
        for (pattern, yes, no) in [
            ("wiki://*", "wiki://a", "wiki://a/b"),
            ("wiki://**", "wiki://a/b", "wikis://a"),
            ("wiki://**/x", "wiki://a/b/x", "wiki://a/b/y"),
            ("wiki://a/*/c", "wiki://a/b/c", "wiki://a/b/b/c"),
            ("wiki://{page}", "wiki://page", "wiki://{page}"),
            ("wiki://[{]page[}]", "wiki://{page}", "wiki://page"),
        ] {
            assert!(matches(pattern, Of::Uri, yes), "{pattern} {yes}");
            assert!(!matches(pattern, Of::Uri, no), "{pattern} {no}");
        }
        assert!(matches("*", Of::Uri, "wiki://a/b"));
    }

    #[test]
    fn bombs_are_refused() {
        let refused = |pattern: &str, of| Pattern::compile(pattern, of).unwrap_err();
        assert_eq!(refused("", Of::Name), BadPattern::Empty);
        assert_eq!(refused(&"a".repeat(513), Of::Name), BadPattern::TooLong { limit: 512 });
        assert_eq!(refused(&"*a".repeat(33), Of::Name), BadPattern::TooManyWildcards { limit: 32 });
        assert_eq!(refused(&"{a,".repeat(40), Of::Name), BadPattern::TooManyWildcards { limit: 32 });
        for text in ["[a", "{a", "[z-a]", "a}", "{a,{b}"] {
            assert_eq!(refused(text, Of::Name), BadPattern::NoGlob, "{text}");
        }
        assert_eq!(refused("wiki://a**", Of::Uri), BadPattern::DoubleStar);
        assert_eq!(refused("[\u{e9}]", Of::Name), BadPattern::WideClass);
    }

    #[test]
    fn uris_that_may_be_read_otherwise_are_told_from_others() {
        for uri in [
            "wiki://a/../b",
            "wiki://a/..",
            "wiki://a/./b",
            "wiki://..",
            "wiki://a/%2e%2E/b",
            "wiki://a/.%2e",
            "WIKI://a",
            "wiki://a/..%2fb",
            "wiki://a/..\\b",
            "wiki://a%5c..%5cb",
            "wiki://%61",
            "file:///x?path=../y",
            "wiki://a/..?x",
            "file:///public/.\t./secret",
            "file:///public/.\n./secret",
            "file:///public/.\r./secret",
            "wiki://a b",
            "wiki://a\x7f",
            " wiki://a",
            "wiki://a%09b",
            "wiki://a%00",
            "wiki://a/..%20/b",
            "wiki://a/..;x/b",
            "wiki://a/.;/b",
            "wiki://a/..%3Bx",
            "wiki://a\\..\\b",
        ] {
            assert!(is_ambiguous(uri), "{uri}");
        }
        for uri in [
            "wiki://a/b",
            "wiki://a/...",
            "wiki://a/..b",
            "wiki://a/b.c",
            "wiki://a%20b",
            "wiki://a%2Fb",
            "wiki://a;..b/c",
            "wiki://...;a",
            "wiki://\u{e9}",
            "a",
            "",
            "..a",
            "wiki://a%",
            "wiki://a%2",
            "wiki://a%zz",
            "wiki://{page}",
            "file:///.hidden",
        ] {
            assert!(!is_ambiguous(uri), "{uri}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// The parser is that of the URL Standard, as in browsers, Node and most newer software.
        #[test]
        fn what_is_elsewhere_to_a_url_parser_is_matched_by_no_wildcard(
            prefix in prop::sample::select(vec!["file:///public/", "https://h.example/a/public/", "wiki://h/public/"]),
            parts in prop::collection::vec(
                prop_oneof![
                    3 => prop::sample::select(vec![".", "..", "/", "\\", "\t", "\n", "\r"]),
                    1 => prop::sample::select(vec![
                        "%2e", "%2E", "%2f", "%5c", "%0a", "%", " ", "\0", "\x7f", ";", "?", "#", ":", "@", "|", "C", "secret",
                        "\u{a0}", "\u{ff0e}", "\u{200b}",
                    ]),
                ],
                0..8,
            ),
        ) {
            let uri = format!("{prefix}{}", parts.concat());
            let pattern = Pattern::compile(&format!("{prefix}**"), Of::Uri).unwrap();
            if pattern.matches(&uri) && !is_ambiguous(&uri) {
                // A text that the parser refuses leads nowhere.
                let read = url::Url::parse(&uri).map_or_else(|_| prefix.to_owned(), String::from);
                prop_assert!(read.starts_with(prefix), "{uri:?} is {read:?}");
            }
        }
    }
}

//! What went wrong, in words.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// The text of an error, and whether it may be shown to callers.
///
/// String literals are public. Of a text that is made at run time, who makes it says which it is: it may contain host names, paths or
/// errors of the system. Gateways show private text to operators only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorText {
    words: Cow<'static, str>,
    is_public: bool,
}

impl ErrorText {
    /// Text that callers may see although it was assembled at run time: it consists of numbers, times and method names only, and has
    /// nothing from a server, no host, no path, and no error of the operating system or of a library.
    #[must_use]
    pub fn public(words: impl Into<Cow<'static, str>>) -> Self {
        Self { words: words.into(), is_public: true }
    }

    /// Text that only operators may see.
    #[must_use]
    pub fn private(words: impl Into<String>) -> Self {
        Self { words: Cow::Owned(words.into()), is_public: false }
    }

    /// Appends text that would be [public](Self::public) by itself: whether the whole is public does not change.
    #[must_use]
    pub fn and_public(self, words: &str) -> Self {
        Self { words: format!("{}{words}", self.words).into(), ..self }
    }

    /// Whether callers may see the text.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.is_public
    }
}

impl From<&'static str> for ErrorText {
    fn from(words: &'static str) -> Self {
        Self::public(words)
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// An error and its causes, in one line. A cause that the text ends with already is not repeated.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Because(&'static str, Option<Box<Self>>);

    impl fmt::Display for Because {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Because {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn the_causes_of_an_error_stand_behind_it_once() {
        let because = |text, cause| Because(text, Some(Box::new(cause)));
        let error = because("no answer: refused", because("refused", Because("at the port", None)));
        assert_eq!(with_causes(&error), "no answer: refused: at the port");
    }
}

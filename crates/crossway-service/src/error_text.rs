//! What went wrong, in words.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, in words, and whether anybody may read them.
///
/// A literal is ours and names nobody. What was put together, as all that comes from a server, a path or the operating system, is
/// taken to name a place until somebody says by [`ours`](Self::public) that it does not: a gateway then tells it to operators alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorText {
    words: Cow<'static, str>,
    is_public: bool,
}

impl ErrorText {
    /// Words that were put together of nothing but our own: numbers, times, names of methods. Nothing of a server's, no host, no
    /// path, no error of the operating system or of a library.
    #[must_use]
    pub fn public(words: impl Into<Cow<'static, str>>) -> Self {
        Self { words: words.into(), is_public: true }
    }

    /// Adds words to these. They have to be ours: they don't change whether the whole is.
    #[must_use]
    pub fn and(self, words: &str) -> Self {
        Self { words: format!("{}{words}", self.words).into(), ..self }
    }

    /// Whether the words are ours alone, so that those who may not know where a server is can be told.
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

impl From<String> for ErrorText {
    fn from(words: String) -> Self {
        Self { words: words.into(), is_public: false }
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

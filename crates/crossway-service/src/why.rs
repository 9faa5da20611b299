//! What went wrong, in words.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, in words, and whether anybody may read them.
///
/// A literal is ours and names nobody. What was put together, as all that comes from a server, a path or the operating system, is
/// taken to name a place until somebody says by [`ours`](Self::ours) that it does not: a gateway then tells it to operators alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    words: Cow<'static, str>,
    is_ours: bool,
}

impl Why {
    /// Words that were put together of nothing but our own: numbers, times, names of methods. Nothing of a server's, no host, no
    /// path, no error of the operating system or of a library.
    #[must_use]
    pub fn ours(words: impl Into<Cow<'static, str>>) -> Self {
        Self { words: words.into(), is_ours: true }
    }

    /// Adds words to these. They have to be ours: they don't change whether the whole is.
    #[must_use]
    pub fn and(self, words: &str) -> Self {
        Self { words: format!("{}{words}", self.words).into(), ..self }
    }

    /// Whether the words are ours alone, so that those who may not know where a server is can be told.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }
}

impl From<&'static str> for Why {
    fn from(words: &'static str) -> Self {
        Self::ours(words)
    }
}

impl From<String> for Why {
    fn from(words: String) -> Self {
        Self { words: words.into(), is_ours: false }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

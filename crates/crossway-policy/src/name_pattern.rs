//! Patterns of names, for checks outside of a policy.

use crate::BadPattern;
use crate::pattern::{Of, Pattern};

/// A pattern as in a grant's `upstream`, `tools` and `prompts`. Compiling one may take a millisecond; matching is fast.
#[derive(Clone)]
pub struct NamePattern(Pattern);

impl NamePattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// When a policy could not have it either.
    pub fn compile(text: &str) -> Result<Self, BadPattern> {
        Pattern::compile(text, Of::Name).map(Self)
    }

    /// Whether a name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name)
    }
}

impl std::fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamePattern").finish_non_exhaustive()
    }
}

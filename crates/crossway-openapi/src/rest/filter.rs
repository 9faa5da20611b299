//! Selects the operations that become tools.

use globset::{GlobBuilder, GlobMatcher};

/// Selects operations: those that match each non-empty list of names.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    tags: Vec<String>,
    methods: Vec<String>,
    operations: Vec<GlobMatcher>,
}

/// An invalid pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is no pattern: {why}")]
pub struct BadPattern {
    pattern: String,
    why: String,
}

/// The facts about an operation that filters decide by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) tags: &'a [&'a str],
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) tool: &'a str,
    pub(super) id: Option<&'a str>,
}

impl Filter {
    /// An empty filter: it includes everything, or excludes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tag: operations with any of the named tags match.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds a method, in any case: operations of any of the named methods match.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.methods.push(method.to_ascii_lowercase());
        self
    }

    /// Adds a pattern for an operation's id, its tool's name, or its path if the pattern begins with `/`: `get*`, `/boards/**`. In paths
    /// `*` stands for one segment, and `**` for any number of them.
    ///
    /// # Errors
    ///
    /// When the pattern is invalid.
    pub fn operation(mut self, pattern: &str) -> Result<Self, BadPattern> {
        // Braces enclose parameters in paths, and are literal.
        let escaped = if pattern.starts_with('/') {
            pattern.replace('{', "[{]").replace('}', "[}]")
        } else {
            pattern.to_owned()
        };
        let glob = GlobBuilder::new(&escaped).literal_separator(true).build();
        let glob =
            glob.map_err(|error| BadPattern { pattern: pattern.to_owned(), why: error.kind().to_string() })?;
        self.operations.push(glob.compile_matcher());
        Ok(self)
    }

    fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.methods.is_empty() && self.operations.is_empty()
    }

    fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let tags =
            self.tags.is_empty() || candidate.tags.iter().any(|tag| self.tags.iter().any(|of| of == tag));
        let methods = self.methods.is_empty() || self.methods.iter().any(|of| of == candidate.method);
        let is_named = |glob: &GlobMatcher| {
            if glob.glob().glob().starts_with('/') {
                return glob.is_match(candidate.path);
            }
            glob.is_match(candidate.tool) || candidate.id.is_some_and(|id| glob.is_match(id))
        };
        tags && methods && (self.operations.is_empty() || self.operations.iter().any(is_named))
    }

    /// Whether this filter includes an operation.
    pub(super) fn includes(&self, candidate: &Candidate<'_>) -> bool {
        self.matches(candidate)
    }

    /// Whether this filter excludes an operation.
    pub(super) fn excludes(&self, candidate: &Candidate<'_>) -> bool {
        !self.is_empty() && self.matches(candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: Candidate<'static> = Candidate {
        tags: &["cards", "beta"],
        method: "get",
        path: "/boards/{id}/cards",
        tool: "get-cards",
        id: Some("get cards"),
    };

    #[test]
    fn each_list_that_is_there_has_to_name_it() {
        assert!(Filter::new().includes(&CARD) && !Filter::new().excludes(&CARD));
        let filter = Filter::new().tag("boards").tag("cards").method("GET");
        assert!(filter.includes(&CARD) && filter.excludes(&CARD));
        assert!(!filter.method("put").tag("none").operation("put*").unwrap().includes(&CARD));
    }

    #[test]
    fn patterns_are_of_ids_tools_and_paths() {
        for (pattern, wanted) in [
            ("get-*", true),
            ("get ????s", true),
            ("get", false),
            ("/boards/**", true),
            ("/boards/*/cards", true),
            ("/boards/{id}/cards", true),
            ("/boards/*", false),
            ("{get,put}-cards", true),
        ] {
            let filter = Filter::new().operation(pattern).unwrap();
            assert_eq!(filter.includes(&CARD), wanted, "{pattern}");
        }
        assert!(Filter::new().operation("[").unwrap_err().to_string().starts_with("\"[\" is no pattern"));
    }
}

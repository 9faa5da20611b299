//! Selects the operations that become tools.

use globset::{GlobBuilder, GlobMatcher};

/// Which operations become tools: all that each list that is not empty names.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    tags: Vec<String>,
    methods: Vec<String>,
    operations: Vec<GlobMatcher>,
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is no pattern: {why}")]
pub struct BadPattern {
    pattern: String,
    why: String,
}

/// What is known of an operation before it is a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) tags: &'a [&'a str],
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) tool: &'a str,
    pub(super) id: Option<&'a str>,
}

impl Filter {
    /// Names nothing: lets everything in, or leaves nothing out.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Operations with this tag, or another that is named.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Operations of this method, or another that is named; whatever its letters' case.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.methods.push(method.to_ascii_lowercase());
        self
    }

    /// Operations whose id, or whose tool, or whose path if the pattern begins with `/`, is one of this pattern: `get*`,
    /// `/boards/**`. In paths `*` stands for a part between slashes, and `**` for any number of them.
    ///
    /// # Errors
    ///
    /// When it is no pattern.
    pub fn operation(mut self, pattern: &str) -> Result<Self, BadPattern> {
        // Braces are what paths have parameters in.
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

    /// Whether an operation is let in by this filter.
    pub(super) fn includes(&self, candidate: &Candidate<'_>) -> bool {
        self.matches(candidate)
    }

    /// Whether an operation is left out by this filter.
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

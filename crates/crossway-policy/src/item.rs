//! The items that a policy decides about: tools, prompts and resources.

use std::fmt;

use serde::Serialize;

/// A tool, prompt, resource or resource template of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// The upstream, as the configuration calls it.
    pub upstream: &'a str,
    /// The kind of item.
    pub kind: Kind,
    /// The name that the upstream gives it; for a resource its URI, for a template its URI template.
    pub name: &'a str,
    /// The upstream's hints about it.
    pub hints: Hints,
}

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource, by its URI.
    Resource,
    /// A resource template. Patterns for resources grant it, compared with the template as it is written; each URI made of it is decided on
    /// its own.
    Template,
}

/// An upstream's hints about an item. Used only if the upstream is trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// Whether the tool changes nothing (`annotations.readOnlyHint`).
    pub read_only: Option<bool>,
}

impl<'a> Item<'a> {
    /// Makes an item without hints.
    #[must_use]
    pub fn new(upstream: &'a str, kind: Kind, name: &'a str) -> Self {
        Self { upstream, kind, name, hints: Hints::default() }
    }

    /// Sets the upstream's hints about this item.
    #[must_use]
    pub fn with_hints(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "template",
        })
    }
}

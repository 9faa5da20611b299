//! The items that a policy decides about: tools, prompts and resources.

use std::fmt;

use serde::Serialize;

/// Something of an upstream's that can be listed and called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// The upstream, as the configuration calls it.
    pub upstream: &'a str,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its name as the upstream calls it; of a resource its URI, of a template its URI template.
    pub name: &'a str,
    /// What the upstream says of it.
    pub hints: Hints,
}

/// What kind of thing an item is.
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
    /// A resource template. It is granted by the patterns for resources, which are compared with the template as it is written;
    /// each URI that is made of it is decided on its own.
    Template,
}

/// What an upstream says of an item. Taken only of upstreams that are trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// Whether it changes nothing (`annotations.readOnlyHint`).
    pub read_only: Option<bool>,
}

impl<'a> Item<'a> {
    /// An item of which the upstream says no more.
    #[must_use]
    pub fn new(upstream: &'a str, kind: Kind, name: &'a str) -> Self {
        Self { upstream, kind, name, hints: Hints::default() }
    }

    /// With what the upstream says of it.
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

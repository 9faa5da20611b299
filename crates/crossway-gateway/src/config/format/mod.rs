//! Texts of each format, made into trees.

mod json;
mod toml;
mod yaml;

use std::path::Path;

use super::limits;
use super::problem::Problem;
use super::tree::{Entry, Node, Value};

/// What a config can be written in, told by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.yaml`, `.yml`: YAML 1.2.
    Yaml,
    /// `.toml`: TOML 1.1.
    Toml,
    /// `.json`: JSON.
    Json,
}

impl Format {
    /// The format of a file.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// Makes a tree of a text. What is wrong is told with its offset; some formats tell several things at once.
    pub(super) fn parse(self, text: &str) -> Result<Node, Vec<Fault>> {
        match self {
            Self::Yaml => yaml::parse(text).map_err(|fault| vec![fault]),
            Self::Toml => toml::parse(text),
            Self::Json => json::parse(text).map_err(|fault| vec![fault]),
        }
    }
}

/// What is wrong with a text, and at which offset.
pub(super) type Fault = (usize, What);

/// What is wrong with a text.
pub(super) enum What {
    /// A problem.
    Problem(Problem),
    /// A key that stands at this offset too.
    Twice(String, usize),
}

impl From<Problem> for What {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Counts what a tree costs.
#[derive(Default)]
struct Budget {
    values: usize,
}

impl Budget {
    /// Another value, at this depth.
    fn take(&mut self, at: usize, depth: usize) -> Result<(), Fault> {
        self.values += 1;
        if self.values > limits::VALUES {
            return Err((at, Problem::TooMany { limit: limits::VALUES }.into()));
        }
        if depth > limits::DEPTH {
            return Err((at, Problem::TooDeep { limit: limits::DEPTH }.into()));
        }
        Ok(())
    }
}

/// Puts an entry to the others of its map, unless its key is there already. `seen` has the keys that are.
fn add(
    entries: &mut Vec<Entry>,
    seen: &mut std::collections::HashMap<String, usize>,
    entry: Entry,
) -> Result<(), Fault> {
    if let Some(first) = seen.insert(entry.key.clone(), entry.key_at) {
        return Err((entry.key_at, What::Twice(entry.key, first)));
    }
    entries.push(entry);
    Ok(())
}

/// A map without entries, for files that say nothing.
fn empty() -> Node {
    Node { at: 0, value: Value::Map(Vec::new()) }
}

#[cfg(test)]
mod tests;

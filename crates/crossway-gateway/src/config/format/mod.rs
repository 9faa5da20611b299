//! Parses config text of each format into a tree.

mod json;
mod toml;
mod yaml;

use std::borrow::Cow;
use std::path::Path;

use foldhash::HashMap;

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
    pub(super) fn parse(self, text: &str) -> Result<Node<'_>, Vec<Fault>> {
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

/// The entries of a map, of which no two have one key.
#[derive(Default)]
struct Entries<'a> {
    entries: Vec<Entry<'a>>,
    /// Where keys stand, once there are many of them.
    seen: HashMap<Cow<'a, str>, usize>,
}

/// How many keys are compared with one after the other: that is cheaper than a table, and most maps have less.
const FEW: usize = 16;

impl<'a> Entries<'a> {
    /// Where an entry of this key stands.
    fn find(&self, key: &str) -> Option<usize> {
        match self.entries.len() {
            ..=FEW => self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_at),
            _ => self.seen.get(key).copied(),
        }
    }

    /// One more, unless its key is there already.
    fn add(&mut self, entry: Entry<'a>) -> Result<(), Fault> {
        if let Some(first) = self.find(&entry.key) {
            return Err((entry.key_at, What::Twice(entry.key.into_owned(), first)));
        }
        self.entries.push(entry);
        if self.entries.len() > FEW {
            let new = &self.entries[self.seen.len()..];
            self.seen.extend(new.iter().map(|entry| (entry.key.clone(), entry.key_at)));
        }
        Ok(())
    }
}

/// A map without entries, for files that say nothing.
fn empty() -> Node<'static> {
    Node { at: 0, value: Value::Map(Vec::new()) }
}

#[cfg(test)]
mod tests;

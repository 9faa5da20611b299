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

/// The format of a config, by its file's extension.
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
    /// Returns the format of a file, if its extension is known.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// Parses a text into a tree. Errors have their offset; some formats report several at once.
    pub(super) fn parse(self, text: &str) -> Result<Node<'_>, Vec<Fault>> {
        match self {
            Self::Yaml => yaml::parse(text).map_err(|fault| vec![fault]),
            Self::Toml => toml::parse(text),
            Self::Json => json::parse(text).map_err(|fault| vec![fault]),
        }
    }
}

/// An error in a text, with its offset.
pub(super) type Fault = (usize, What);

/// An error in a text.
pub(super) enum What {
    /// A problem.
    Problem(Problem),
    /// A duplicate key, whose first occurrence is at this offset.
    Twice(String, usize),
}

impl From<Problem> for What {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Counts the values of a tree, to bound it.
#[derive(Default)]
struct Budget {
    values: usize,
}

impl Budget {
    /// Counts another value, at this depth.
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

/// The entries of a map, without duplicate keys.
#[derive(Default)]
struct Entries<'a> {
    entries: Vec<Entry<'a>>,
    /// The offsets of keys, once there are more than [`FEW`].
    seen: HashMap<Cow<'a, str>, usize>,
}

/// Up to this many keys are searched one by one, which is cheaper than a table, and most maps have fewer.
const FEW: usize = 16;

impl<'a> Entries<'a> {
    /// Returns the offset of the entry with this key.
    fn find(&self, key: &str) -> Option<usize> {
        match self.entries.len() {
            ..=FEW => self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_at),
            _ => self.seen.get(key).copied(),
        }
    }

    /// Adds an entry, unless its key is there already.
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

/// An empty map, for empty files.
fn empty() -> Node<'static> {
    Node { at: 0, value: Value::Map(Vec::new()) }
}

#[cfg(test)]
mod tests;

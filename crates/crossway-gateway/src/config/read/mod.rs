//! Deserializes a config tree into types and collects every error.

mod access;
mod de;
mod error;
mod secret;
mod variables;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::Path;

use crossway_policy::Policy;
use serde::de::DeserializeOwned;

use super::limits;
use super::problem::Problem;
use super::reload::{Stamps, stamp};
use super::tree::{Node, Step, Value};
use de::De;
#[cfg(test)]
pub(super) use de::TAGGED;
pub(super) use secret::HIDDEN;
pub(super) use variables::{PLAIN, expand_all};

/// The context of deserializing a tree, and what is recorded meanwhile.
pub(super) struct Context<'a> {
    /// Returns an environment variable's value.
    pub(super) lookup: &'a dyn Fn(&str) -> Option<String>,
    /// The folder of relative paths.
    pub(super) folder: &'a Path,
    /// The policy in force during a reload.
    pub(super) policy_before: Option<&'a Policy>,
    found: RefCell<Found>,
}

/// What was recorded besides the values.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The offsets of secrets in the file itself.
    pub(super) literal: BTreeSet<usize>,
    /// The files that were read, in their state before that.
    pub(super) files: Stamps,
    /// The hasher of their contents.
    pub(super) hasher: DefaultHasher,
    /// The hashes of the contents of files that texts refer to, by the texts' offsets.
    pub(super) contents: BTreeMap<usize, u64>,
}

impl<'a> Context<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>, folder: &'a Path) -> Self {
        Self { lookup, folder, policy_before: None, found: RefCell::default() }
    }

    /// Watches a file: its change is a change of the config. Call this before reading the file, even one that does not exist yet.
    pub(super) fn watch(&self, file: &Path) {
        let stamp = stamp(file);
        let found = &mut *self.found.borrow_mut();
        stamp.hash(&mut found.hasher);
        found.files.entry(file.to_owned()).or_insert(stamp);
    }

    /// Reads the first `at_most` bytes of a file. A change of its contents is a change of the config.
    pub(super) fn read(&self, file: &Path, at_most: u64) -> io::Result<Vec<u8>> {
        self.found.borrow_mut().files.entry(file.to_owned()).or_insert_with(|| stamp(file));
        let mut bytes = Vec::new();
        // Opening a pipe would block until it has a writer.
        let metadata = file.metadata()?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        File::open(file)?.take(at_most).read_to_end(&mut bytes)?;
        bytes.hash(&mut self.found.borrow_mut().hasher);
        Ok(bytes)
    }

    /// Records the contents that the text at an offset refers to, so that their change counts as a change of the text.
    fn stands_for(&self, at: usize, content: &str) {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        self.found.borrow_mut().contents.insert(at, hasher.finish());
    }

    pub(super) fn take_found(&self) -> Found {
        self.found.take()
    }
}

/// A problem at a path.
pub(super) type Wrong = (Vec<Step>, Problem);

/// Deserializes a tree. Serde stops at the first error: the faulty node is then removed, and the rest is read again, until there
/// are no more errors. `wrong` has the earlier errors, whose nodes were removed already.
pub(super) fn read<T: DeserializeOwned>(
    root: &Node<'_>,
    context: &Context<'_>,
    mut wrong: Vec<Wrong>,
) -> Result<T, Vec<Wrong>> {
    let mut left = Cow::Borrowed(root);
    let mut removed: Vec<Vec<Step>> = wrong.iter().map(|(path, _)| path.clone()).collect();
    loop {
        if wrong.len() > limits::FINDINGS {
            wrong.truncate(limits::FINDINGS);
            wrong.push((Vec::new(), Problem::More { shown: limits::FINDINGS }));
            return Err(wrong);
        }
        context.found.borrow_mut().literal.clear();
        let error = match T::deserialize(De::new(&left, context)) {
            Ok(value) if wrong.is_empty() => return Ok(value),
            Ok(_) => return Err(wrong),
            Err(error) => error,
        };
        let (path, problem) = error.into_wrong();
        let is_consequence = removed.iter().any(|gone| follows(&path, &problem, gone));
        removed.push(path.clone());
        let is_gone = match left.to_mut().find_mut(&path) {
            Some(node) if !path.is_empty() && !matches!(node.value, Value::Removed) => {
                node.value = Value::Removed;
                true
            }
            _ => false,
        };
        if !is_consequence {
            wrong.push((path, problem));
        }
        if !is_gone {
            return Err(wrong);
        }
    }
}

/// Whether a problem is only a consequence of the removal of another node.
fn follows(path: &[Step], problem: &Problem, gone: &[Step]) -> bool {
    let Some(inside) = gone.strip_prefix(path).filter(|inside| !inside.is_empty()) else { return false };
    match problem {
        Problem::Missing { key } => inside == [Step::Key((*key).to_owned())],
        Problem::WrongKind { found, .. } => *found == access::EMPTY,
        Problem::Refused(_) => true,
        _ => false,
    }
}

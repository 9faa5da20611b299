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

/// What reading needs beside the tree, and what it finds.
pub(super) struct Context<'a> {
    /// Gives an environment variable's value.
    pub(super) lookup: &'a dyn Fn(&str) -> Option<String>,
    /// What relative paths begin at.
    pub(super) folder: &'a Path,
    /// The policy that is in force meanwhile.
    pub(super) policy_before: Option<&'a Policy>,
    found: RefCell<Found>,
}

/// What was found beside the values.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where secrets stand in the file itself: their offsets.
    pub(super) literal: BTreeSet<usize>,
    /// The files that were read, as they were before that.
    pub(super) files: Stamps,
    /// Of what they hold.
    pub(super) hasher: DefaultHasher,
    /// Of what texts stand for that name a file, by their offsets.
    pub(super) contents: BTreeMap<usize, u64>,
}

impl<'a> Context<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>, folder: &'a Path) -> Self {
        Self { lookup, folder, policy_before: None, found: RefCell::default() }
    }

    /// Has a change of a file be a change of the config. It is to be read after this, also when it can't be: it may come.
    pub(super) fn watch(&self, file: &Path) {
        let stamp = stamp(file);
        let found = &mut *self.found.borrow_mut();
        stamp.hash(&mut found.hasher);
        found.files.entry(file.to_owned()).or_insert(stamp);
    }

    /// Reads a file, the first `at_most` bytes of it. A change of what it holds is a change of the config.
    pub(super) fn read(&self, file: &Path, at_most: u64) -> io::Result<Vec<u8>> {
        self.found.borrow_mut().files.entry(file.to_owned()).or_insert_with(|| stamp(file));
        let mut bytes = Vec::new();
        // To open a pipe would wait for whoever writes to it.
        let metadata = file.metadata()?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        File::open(file)?.take(at_most).read_to_end(&mut bytes)?;
        bytes.hash(&mut self.found.borrow_mut().hasher);
        Ok(bytes)
    }

    /// Notes what the text at an offset stands for, which is another one as soon as this is.
    fn stands_for(&self, at: usize, content: &str) {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        self.found.borrow_mut().contents.insert(at, hasher.finish());
    }

    pub(super) fn take_found(&self) -> Found {
        self.found.take()
    }
}

/// Something that is wrong, at a path.
pub(super) type Wrong = (Vec<Step>, Problem);

/// Makes a value of a tree. Serde ends at the first error: what it is about is taken away, and the rest is read again, until
/// nothing is wrong with what is left. `wrong` is what is wrong so far and was taken away.
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

/// Whether something is wrong at a path only since what is at another was taken away.
fn follows(path: &[Step], problem: &Problem, gone: &[Step]) -> bool {
    let Some(inside) = gone.strip_prefix(path).filter(|inside| !inside.is_empty()) else { return false };
    match problem {
        Problem::Missing { key } => inside == [Step::Key((*key).to_owned())],
        Problem::WrongKind { found, .. } => *found == access::EMPTY,
        Problem::Refused(_) => true,
        _ => false,
    }
}

//! A parsed config of any format: values with positions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A value with its position: the offset of its first byte in the file. Texts are borrowed from the file, unless they had to be decoded.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) at: usize,
    pub(super) value: Value<'a>,
}

/// A value in a file of any format.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Whole(i128),
    Real(f64),
    Text(Text<'a>),
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
    /// A faulty value that was reported, and is skipped from now on.
    Removed,
}

/// A text, which may be a secret.
#[derive(Clone)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    /// Whether a part of it came from the environment.
    pub(super) is_expanded: bool,
    /// Whether the file has a default for that part.
    pub(super) has_default: bool,
}

impl Text<'_> {
    /// Whether the text, or a part of it, is in the file itself.
    pub(super) fn is_literal(&self) -> bool {
        !self.is_expanded || self.has_default
    }
}

/// A key with its value.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) key_at: usize,
    pub(super) value: Node<'a>,
}

impl<'a> Node<'a> {
    /// Hashes a node, independent of its position. `contents` are hashes of the files that texts refer to, by the texts' offsets.
    pub(super) fn hash_into(&self, contents: &BTreeMap<usize, u64>, hasher: &mut impl Hasher) {
        std::mem::discriminant(&self.value).hash(hasher);
        match &self.value {
            Value::Null | Value::Removed => {}
            Value::Bool(value) => value.hash(hasher),
            Value::Whole(value) => value.hash(hasher),
            Value::Real(value) => value.to_bits().hash(hasher),
            Value::Text(text) => (&text.text, contents.get(&self.at)).hash(hasher),
            Value::List(nodes) => {
                nodes.len().hash(hasher);
                nodes.iter().for_each(|node| node.hash_into(contents, hasher));
            }
            Value::Map(entries) => {
                let mut entries: Vec<&Entry<'_>> = entries.iter().collect();
                entries.sort_by(|one, other| one.key.cmp(&other.key));
                entries.len().hash(hasher);
                for entry in entries {
                    entry.key.hash(hasher);
                    entry.value.hash_into(contents, hasher);
                }
            }
        }
    }

    /// Whether the node is null, an empty list or an empty map.
    pub(super) fn is_empty(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::List(nodes) => nodes.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    pub(super) fn text(at: usize, text: impl Into<Cow<'a, str>>) -> Self {
        Self { at, value: Value::Text(Text { text: text.into(), is_expanded: false, has_default: false }) }
    }

    /// Returns the node at a path below this one.
    pub(super) fn find(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| match (&node.value, step) {
            (Value::List(list), Step::Index(index)) => list.get(*index),
            (Value::Map(entries), Step::Key(key)) => {
                entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
            }
            _ => None,
        })
    }

    pub(super) fn find_mut(&mut self, path: &[Step]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, step| match (&mut node.value, step) {
            (Value::List(list), Step::Index(index)) => list.get_mut(*index),
            (Value::Map(entries), Step::Key(key)) => {
                entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)
            }
            _ => None,
        })
    }

    /// Returns the offset of a path's last key or element, or that of the longest part of the path that exists.
    pub(super) fn place(&self, path: &[Step]) -> usize {
        let (mut node, mut at) = (self, self.at);
        for step in path {
            let found = match (&node.value, step) {
                (Value::List(list), Step::Index(index)) => list.get(*index).map(|node| (node.at, node)),
                (Value::Map(entries), Step::Key(key)) => {
                    entries.iter().find(|entry| entry.key == *key).map(|entry| (entry.key_at, &entry.value))
                }
                _ => None,
            };
            let Some((place, next)) = found else { return at };
            (at, node) = (place, next);
        }
        at
    }
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Formats a path for people: `grants[3].tools[0]`. A key with other characters than `A-Z a-z 0-9 _ - $` is quoted.
pub(super) struct Path<'a>(pub(super) &'a [Step]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(at) => write!(f, "[{at}]")?,
                Step::Key(key) => {
                    if index > 0 {
                        f.write_str(".")?;
                    }
                    let is_plain = !key.is_empty()
                        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte));
                    if is_plain { f.write_str(key)? } else { write!(f, "{key:?}")? }
                }
            }
        }
        Ok(())
    }
}

/// Parses a path in the form of [`Path`] or of policies, whose keys with dots are looked up in the tree.
pub(super) fn parse_path(root: &Node<'_>, text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (step, after) = if let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']').unwrap_or((inside, ""));
            match index.parse() {
                Ok(index) => (Step::Index(index), after),
                Err(_) => (Step::Key(index.trim_matches('"').to_owned()), after),
            }
        } else if let Some(inside) = rest.strip_prefix('"') {
            let (key, after) = inside.split_once('"').unwrap_or((inside, ""));
            (Step::Key(key.to_owned()), after)
        } else {
            let (key, after) = longest_key(root.find(&steps), rest);
            (Step::Key(key.to_owned()), after)
        };
        steps.push(step);
        rest = after;
    }
    steps
}

/// Splits off the longest key of the map that the text begins with, or everything up to the next dot or bracket.
fn longest_key<'a>(node: Option<&Node<'_>>, text: &'a str) -> (&'a str, &'a str) {
    let known = match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries
            .iter()
            .map(|entry| entry.key.len())
            .zip(entries)
            .filter(|(_, entry)| {
                text.strip_prefix(&*entry.key)
                    .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
            })
            .map(|(len, _)| len)
            .max(),
        _ => None,
    };
    let end = known.filter(|len| *len > 0).or_else(|| text.find(['.', '['])).unwrap_or(text.len());
    text.split_at(end)
}

/// Returns the path to the text at an offset.
pub(super) fn path_to(root: &Node<'_>, at: usize) -> Vec<Step> {
    search(root, &|child| child.at == at && matches!(child.value, Value::Text(_))).unwrap_or_default()
}

/// Returns the path to a text below a path, preferring one from the environment. Ignores case, because of header names.
pub(super) fn path_to_text(root: &Node<'_>, below: &[Step], wanted: &str) -> Option<Vec<Step>> {
    let node = root.find(below)?;
    let find = |from_environment: bool| {
        search(node, &|child| {
            matches!(&child.value, Value::Text(text)
                if text.text.eq_ignore_ascii_case(wanted) && (text.is_expanded || !from_environment))
        })
    };
    let inside = find(true).or_else(|| find(false))?;
    Some([below, &inside].concat())
}

/// Returns the path to the first matching node below another one.
fn search(node: &Node<'_>, is_meant: &dyn Fn(&Node<'_>) -> bool) -> Option<Vec<Step>> {
    /// Returns the path with the last step first, so that nothing is allocated for other branches.
    fn backwards(node: &Node<'_>, is_meant: &dyn Fn(&Node<'_>) -> bool) -> Option<Vec<Step>> {
        let inside =
            |child: &Node<'_>| if is_meant(child) { Some(Vec::new()) } else { backwards(child, is_meant) };
        let (mut path, step) = match &node.value {
            Value::List(list) => list
                .iter()
                .enumerate()
                .find_map(|(index, child)| Some((inside(child)?, Step::Index(index))))?,
            Value::Map(entries) => entries
                .iter()
                .find_map(|entry| Some((inside(&entry.value)?, Step::Key(entry.key.to_string()))))?,
            _ => return None,
        };
        path.push(step);
        Some(path)
    }
    let mut path = backwards(node, is_meant)?;
    path.reverse();
    Some(path)
}

/// The offsets of a text's lines.
pub(super) struct Lines<'a> {
    text: &'a str,
    begin: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, begin: std::iter::once(0).chain(after).collect() }
    }

    /// Returns the line and column of an offset, counted from 1. Columns are in characters.
    pub(super) fn find(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.begin.partition_point(|begin| *begin <= at).max(1);
        (line, self.text[self.begin[line - 1]..at].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<'a>(entries: Vec<(&'a str, usize, Node<'a>)>) -> Node<'a> {
        let entries =
            entries.into_iter().map(|(key, key_at, value)| Entry { key: key.into(), key_at, value });
        Node { at: 0, value: Value::Map(entries.collect()) }
    }

    #[test]
    fn a_path_is_found_again_by_what_it_is_written_as() {
        let list = Node { at: 20, value: Value::List(vec![Node::text(21, "a"), Node::text(25, "b")]) };
        let root = map(vec![("a.b", 1, map(vec![("tools", 10, list)])), ("a", 2, Node::text(3, "c"))]);
        for (text, at, canonical) in [
            ("a.b.tools[1]", 25, "\"a.b\".tools[1]"),
            ("\"a.b\".tools[0]", 21, "\"a.b\".tools[0]"),
            ("a.b.tools", 10, "\"a.b\".tools"),
            ("a", 2, "a"),
            ("a.b.nope[3].x", 1, "\"a.b\".nope[3].x"),
            ("", 0, ""),
        ] {
            let path = parse_path(&root, text);
            assert_eq!((root.place(&path), Path(&path).to_string()), (at, canonical.to_owned()), "{text}");
        }
    }

    #[test]
    fn lines_and_columns_are_counted_in_characters_from_one_on() {
        let text = "ä: 1\nbé: 2";
        let lines = Lines::new(text);
        assert_eq!(lines.find(0), (1, 1));
        assert_eq!(lines.find(1), (1, 1));
        assert_eq!(lines.find(text.find('b').unwrap()), (2, 1));
        assert_eq!(lines.find(text.find('2').unwrap()), (2, 5));
        assert_eq!(lines.find(99), (2, 6));
        assert_eq!(Lines::new("").find(0), (1, 1));
    }
}

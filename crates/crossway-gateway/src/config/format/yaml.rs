//! Parses YAML 1.2 into a tree with positions, by the events of `granit-parser`.
//!
//! Plain scalars mean what the core schema says (YAML 1.2.2, section 10.3): `no` and `on` are texts.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::super::problem::Problem;
use super::super::tree::{Entry, Node, Value};
use super::{Budget, Entries, Fault, empty};

pub(super) fn parse(text: &str) -> Result<Node<'_>, Fault> {
    let mut tree = Tree::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| broken(text, offset(error.marker()), &error.info()))?;
        tree.handle_event(event, offset(&span.start))?;
    }
    match tree.root {
        None | Some(Node { value: Value::Null, .. }) => Ok(empty()),
        Some(root) => Ok(root),
    }
}

/// A tree that is being built.
#[derive(Default)]
struct Tree<'a> {
    budget: Budget,
    open: Vec<Open<'a>>,
    anchors: HashMap<usize, Node<'a>>,
    root: Option<Node<'a>>,
}

/// A list or a map that has not ended yet.
struct Open<'a> {
    at: usize,
    anchor: usize,
    what: What<'a>,
}

enum What<'a> {
    List(Vec<Node<'a>>),
    Map { entries: Entries<'a>, key: Option<(Cow<'a, str>, usize)> },
}

impl<'a> Tree<'a> {
    fn handle_event(&mut self, event: Event<'a>, at: usize) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(syntax(at, "a second document begins here; a config is one"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = is_text(style, tag.as_deref(), at)?;
                if self.wants_key() {
                    if text == "<<" && style == ScalarStyle::Plain {
                        return Err(syntax(
                            at,
                            "merge keys (<<) are not of YAML 1.2: write out what they merge",
                        ));
                    }
                    self.remember(anchor, || Node::text(at, text.clone()));
                    return self.key(text, at);
                }
                let node = if is_text { Node::text(at, text) } else { Node { at, value: plain(text) } };
                self.remember(anchor, || node.clone());
                self.value(node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(at, anchor, tag.as_deref(), "seq", What::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                let what = What::Map { entries: Entries::default(), key: None };
                self.open(at, anchor, tag.as_deref(), "map", what)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(()),
        }
    }

    /// Whether the next scalar is a map's key.
    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { what: What::Map { key: None, .. }, .. }))
    }

    fn remember(&mut self, anchor: usize, node: impl FnOnce() -> Node<'a>) {
        // 0 means no anchor.
        if anchor != 0 {
            self.anchors.insert(anchor, node());
        }
    }

    fn key(&mut self, text: Cow<'a, str>, at: usize) -> Result<(), Fault> {
        if let Some(Open { what: What::Map { key, entries }, .. }) = self.open.last_mut() {
            if let Some(first) = entries.find(&text) {
                return Err((at, super::What::Twice(text.into_owned(), first)));
            }
            *key = Some((text, at));
        }
        Ok(())
    }

    fn value(&mut self, node: Node<'a>) -> Result<(), Fault> {
        self.budget.take(node.at, self.open.len())?;
        self.place(node)
    }

    fn place(&mut self, node: Node<'a>) -> Result<(), Fault> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { what: What::List(list), .. }) => list.push(node),
            Some(Open { what: What::Map { entries, key }, .. }) => {
                let Some((key, key_at)) = key.take() else {
                    return Err(syntax(node.at, "a list or a map can't be a key"));
                };
                entries.add(Entry { key, key_at, value: node })?;
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        at: usize,
        anchor: usize,
        tag: Option<&Tag>,
        kind: &str,
        what: What<'a>,
    ) -> Result<(), Fault> {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema_tag(kind)) {
            return Err(syntax(at, "the tag (!) means nothing here"));
        }
        if self.wants_key() {
            return Err(syntax(at, "a list or a map can't be a key"));
        }
        self.budget.take(at, self.open.len())?;
        self.open.push(Open { at, anchor, what });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(Open { at, anchor, what }) = self.open.pop() else { return Ok(()) };
        let value = match what {
            What::List(list) => Value::List(list),
            What::Map { entries, .. } => Value::Map(entries.entries),
        };
        let node = Node { at, value };
        self.remember(anchor, || node.clone());
        self.place(node)
    }

    fn alias(&mut self, anchor: usize, at: usize) -> Result<(), Fault> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(syntax(at, "the alias (*) stands within what it stands for"));
        };
        if self.wants_key() {
            let Value::Text(text) = &node.value else {
                return Err(syntax(at, "the alias (*) stands for no text, and so can't be a key"));
            };
            let key = text.text.clone();
            return self.key(key, at);
        }
        // Counted before it is copied, since aliases of aliases grow quickly.
        let mut rest = vec![(node, self.open.len())];
        while let Some((node, depth)) = rest.pop() {
            self.budget.take(at, depth)?;
            match &node.value {
                Value::List(list) => rest.extend(list.iter().map(|node| (node, depth + 1))),
                Value::Map(entries) => rest.extend(entries.iter().map(|entry| (&entry.value, depth + 1))),
                _ => {}
            }
        }
        let node = node.clone();
        self.place(node)
    }
}

/// Whether a scalar is a text regardless of its form.
fn is_text(style: ScalarStyle, tag: Option<&Tag>, at: usize) -> Result<bool, Fault> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema_tag("str") => Ok(true),
        Some(tag) if tag.is_custom() => Err(syntax(at, "the tag (!) means nothing here")),
        _ => Ok(style != ScalarStyle::Plain),
    }
}

/// Returns the value of a scalar without quotes.
fn plain(text: Cow<'_, str>) -> Value<'_> {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Value::Real(f64::NAN),
        _ => number(&text).unwrap_or_else(|| Node::text(0, text).value),
    }
}

fn number(text: &str) -> Option<Value<'static>> {
    let radix = |digits: &str, radix| i128::from_str_radix(digits, radix).ok().map(Value::Whole);
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| !digits.starts_with(['+', '-'])) {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| !digits.starts_with(['+', '-'])) {
        return radix(digits, 8);
    }
    let begins = text.trim_start_matches(['+', '-']);
    if text.len() - begins.len() > 1 || !begins.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match begins {
        ".inf" | ".Inf" | ".INF" => {
            Some(Value::Real(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }))
        }
        _ => radix(text, 10).or_else(|| text.parse().ok().map(Value::Real)),
    }
}

fn offset(mark: &Marker) -> usize {
    mark.byte_offset().unwrap_or_default()
}

/// Returns the parser's error, with a hint where a variable's `}` may have ended a map in braces, which the parser can't know.
fn broken(text: &str, at: usize, message: &str) -> Fault {
    let line = text.get(..at).and_then(|before| before.lines().last()).unwrap_or_default();
    if line.contains("${") || line.ends_with('$') {
        return syntax(
            at,
            &format!("{message}; write \"${{NAME}}\" in quotes where it stands within braces"),
        );
    }
    syntax(at, message)
}

fn syntax(at: usize, message: &str) -> Fault {
    (at, Problem::Syntax { format: "YAML", message: message.to_owned() }.into())
}

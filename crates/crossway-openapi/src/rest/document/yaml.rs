//! Parses YAML 1.2 within bounds, by the events of `granit-parser`.
//!
//! Plain scalars have the meaning of the core schema (YAML 1.2.2, section 10.3): `no` and `on` are texts. An alias costs as much as what
//! it stands for, each time that it is used.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use super::{Budget, DocumentError};

pub(super) fn parse(text: &str) -> Result<Value, DocumentError> {
    let mut tree = Tree::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(error.marker(), &error.info()))?;
        tree.handle_event(event, &span.start)?;
    }
    Ok(tree.root.unwrap_or(Value::Null))
}

/// A tree that is being built.
#[derive(Default)]
struct Tree {
    budget: Budget,
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    root: Option<Value>,
}

/// A list or a map that is not complete yet, and its anchor; 0 is none.
struct Open {
    anchor: usize,
    what: What,
}

enum What {
    List(Vec<Value>),
    Map { map: Map<String, Value>, key: Option<String> },
}

impl Tree {
    fn handle_event(&mut self, event: Event<'_>, at: &Marker) -> Result<(), DocumentError> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(syntax(at, "a second document begins here"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let value = if is_text || style != ScalarStyle::Plain {
                    Value::String(text.to_string())
                } else {
                    plain(&text)
                };
                if self.wants_key() {
                    if text == "<<" && style == ScalarStyle::Plain {
                        return Err(syntax(
                            at,
                            "merge keys (<<) are not of YAML 1.2: write out what they merge",
                        ));
                    }
                    self.remember(anchor, &Value::String(text.to_string()))?;
                    return self.key(text.into_owned(), at);
                }
                self.remember(anchor, &value)?;
                self.budget.take(self.open.len())?;
                self.place(value, at)
            }
            Event::SequenceStart(_, anchor, _) => self.open(anchor, What::List(Vec::new()), at),
            Event::MappingStart(_, anchor, _) => {
                self.open(anchor, What::Map { map: Map::new(), key: None }, at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, what }) = self.open.pop() else { return Ok(()) };
                let value = match what {
                    What::List(list) => Value::Array(list),
                    What::Map { map, .. } => Value::Object(map),
                };
                self.remember(anchor, &value)?;
                self.place(value, at)
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(()),
        }
    }

    /// Whether the next scalar is a map's key.
    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { what: What::Map { key: None, .. }, .. }))
    }

    /// Keeps a copy of a value that aliases may refer to. The copy costs as much as an alias.
    fn remember(&mut self, anchor: usize, value: &Value) -> Result<(), DocumentError> {
        if anchor != 0 {
            self.count(value)?;
            self.anchors.insert(anchor, value.clone());
        }
        Ok(())
    }

    fn key(&mut self, text: String, at: &Marker) -> Result<(), DocumentError> {
        if let Some(Open { what: What::Map { map, key }, .. }) = self.open.last_mut() {
            if map.contains_key(&text) {
                return Err(syntax(at, &format!("the key {text:?} occurs twice")));
            }
            *key = Some(text);
        }
        Ok(())
    }

    fn open(&mut self, anchor: usize, what: What, at: &Marker) -> Result<(), DocumentError> {
        if self.wants_key() {
            return Err(syntax(at, "a list or a map can't be a key"));
        }
        self.budget.take(self.open.len())?;
        self.open.push(Open { anchor, what });
        Ok(())
    }

    fn place(&mut self, value: Value, at: &Marker) -> Result<(), DocumentError> {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open { what: What::List(list), .. }) => list.push(value),
            Some(Open { what: What::Map { map, key }, .. }) => {
                let Some(key) = key.take() else { return Err(syntax(at, "a list or a map can't be a key")) };
                map.insert(key, value);
            }
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: &Marker) -> Result<(), DocumentError> {
        let Some(value) = self.anchors.remove(&anchor) else {
            return Err(syntax(at, "the alias (*) stands within what it stands for"));
        };
        if self.wants_key() {
            let key = value.as_str().map(str::to_owned);
            self.anchors.insert(anchor, value);
            let key =
                key.ok_or_else(|| syntax(at, "the alias (*) stands for no text, and so can't be a key"))?;
            self.budget.repeat(&key)?;
            return self.key(key, at);
        }
        // Counted before it is copied: aliases of aliases could be very many.
        self.count(&value)?;
        let copy = value.clone();
        self.anchors.insert(anchor, value);
        self.place(copy, at)
    }

    fn count(&mut self, value: &Value) -> Result<(), DocumentError> {
        let mut rest = vec![(value, self.open.len())];
        while let Some((value, depth)) = rest.pop() {
            self.budget.take(depth)?;
            match value {
                Value::String(text) => self.budget.repeat(text)?,
                Value::Array(list) => rest.extend(list.iter().map(|value| (value, depth + 1))),
                Value::Object(map) => {
                    for (key, value) in map {
                        self.budget.repeat(key)?;
                        rest.push((value, depth + 1));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
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
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    // Texts such as `.inf` are not JSON numbers, and stay texts.
    whole.ok().or_else(|| text.parse().ok().filter(|real: &f64| real.is_finite()).and_then(Number::from_f64))
}

fn syntax(at: &Marker, message: &str) -> DocumentError {
    DocumentError::Syntax {
        format: "YAML",
        message: message.to_owned(),
        line: at.line(),
        column: at.col() + 1,
    }
}

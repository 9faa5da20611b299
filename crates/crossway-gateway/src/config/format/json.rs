//! Parses JSON into a tree: `serde_json` validates the text, and a second walk finds positions.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::problem::Problem;
use super::super::tree::{Entry, Node, Value};
use super::{Budget, Entries, Fault, empty};

pub(super) fn parse(text: &str) -> Result<Node<'_>, Fault> {
    if text.trim().is_empty() {
        return Ok(empty());
    }
    let _: &RawValue = part(text, text)?;
    Walk { text, at: 0, budget: Budget::default() }.node(0)
}

/// A walk through a text that is known to be valid JSON.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    budget: Budget,
}

impl<'a> Walk<'a> {
    fn node(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        let first = self.next();
        let at = self.at;
        self.budget.take(at, depth)?;
        let value = match first {
            Some(b'{') => self.map(depth + 1)?,
            Some(b'[') => self.list(depth + 1)?,
            Some(b'"') => {
                let raw = self.string();
                return Ok(Node::text(at, self.decoded(raw)?));
            }
            _ => match self.word() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                number => match number.parse::<i128>() {
                    Ok(number) => Value::Whole(number),
                    Err(_) => Value::Real(part(self.text, number)?),
                },
            },
        };
        Ok(Node { at, value })
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        let mut entries = Entries::default();
        self.at += 1;
        while self.next() == Some(b'"') {
            let key_at = self.at;
            let key = self.string();
            self.pass(b':');
            let value = self.node(depth)?;
            entries.add(Entry { key: self.decoded(key)?, key_at, value })?;
            self.pass(b',');
        }
        self.pass(b'}');
        Ok(Value::Map(entries.entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        let mut nodes = Vec::new();
        self.at += 1;
        while !matches!(self.next(), None | Some(b']')) {
            nodes.push(self.node(depth)?);
            self.pass(b',');
        }
        self.pass(b']');
        Ok(Value::List(nodes))
    }

    /// Skips white space, and returns the next byte without consuming it.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// Consumes a mark, if it comes next.
    fn pass(&mut self, mark: u8) {
        self.at += usize::from(self.next() == Some(mark));
    }

    /// Consumes a string, and returns it as written.
    fn string(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let mut end = 1;
        while let Some(found) = rest.as_bytes().get(end..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            end += found + 1;
            if rest.as_bytes()[end - 1] == b'"' {
                break;
            }
            end += 1;
        }
        self.at += end;
        &rest[..end]
    }

    /// Consumes and returns a number, `true`, `false` or `null`.
    fn word(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
        let end = rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Decodes a string.
    fn decoded(&self, raw: &'a str) -> Result<Cow<'a, str>, Fault> {
        match memchr(b'\\', raw.as_bytes()) {
            Some(_) => part(self.text, raw).map(Cow::Owned),
            None => Ok(Cow::Borrowed(raw.trim_matches('"'))),
        }
    }
}

/// Deserializes a part of a text; errors have the position in the whole text.
fn part<'a, T: Deserialize<'a>>(whole: &str, text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| {
        let start =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        let at = offset(whole, text) + start + error.column().saturating_sub(1);
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        (at, Problem::Syntax { format: "JSON", message: message.to_owned() }.into())
    })
}

fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

//! Serde errors as config problems with paths.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::super::problem::Problem;
use super::super::tree::Step;
use super::Wrong;

/// An error on its way out of the tree: each list and map adds its step to the path.
#[derive(Debug)]
pub(in crate::config) struct ReadError {
    problem: Box<Problem>,
    /// The innermost first.
    path: Vec<Step>,
}

impl ReadError {
    pub(super) fn new(problem: Problem) -> Self {
        Self { problem: Box::new(problem), path: Vec::new() }
    }

    pub(super) fn within(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    /// Marks the error as about a text from the environment, which must not be shown.
    pub(super) fn of_expanded(mut self) -> Self {
        if self.path.is_empty() {
            let wanted = match *self.problem {
                Problem::WrongKind { wanted, .. } => wanted,
                Problem::UnknownWord { known, .. } => format!("one of {}", known.join(", ")),
                _ => "something else".to_owned(),
            };
            self.problem = Box::new(Problem::BadExpansion { wanted });
        }
        self
    }

    pub(super) fn into_wrong(mut self) -> Wrong {
        self.path.reverse();
        (self.path, *self.problem)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        // Serde's message for `#[serde(untagged)]`.
        if message.starts_with("data did not match any variant") {
            let message = "has none of the forms that can stand here; `crossway schema` has them";
            return Self::new(Problem::Refused(message.to_owned()));
        }
        Self::new(Problem::Refused(message))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let wanted = in_words(&wanted.to_string());
        let hint = match found {
            Unexpected::Bool(_) | Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_)
                if wanted.starts_with("a text") || wanted.starts_with("a path") =>
            {
                "; put it in quotes"
            }
            Unexpected::Str(text)
                if is_quoted(text) && (wanted == "true or false" || wanted.contains("number")) =>
            {
                "; write it without quotes (true, false, 1, ..)"
            }
            Unexpected::Str(_) if wanted == "a list" => "; put it in brackets: [..]",
            _ => "",
        };
        Self::new(Problem::WrongKind { found: kind(found), wanted, hint })
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let wanted = in_words(&wanted.to_string());
        Self::new(Problem::WrongKind { found: kind(found), wanted, hint: "" })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey { key: key.to_owned(), known })
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownWord { word: word.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Problem::Missing { key })
    }
}

/// Whether a text would have another type without its quotation marks.
fn is_quoted(text: &str) -> bool {
    text.parse::<f64>().is_ok() || ["true", "false", "yes", "no", "on", "off"].contains(&text)
}

/// Returns the type of what was found, without its value.
fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(true) => "true",
        Unexpected::Bool(false) => "false",
        Unexpected::Unsigned(_) => "a number",
        Unexpected::Signed(number) if number < 0 => "a number below zero",
        Unexpected::Signed(_) => "a number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Str(_) | Unexpected::Char(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        _ => "something else",
    }
}

/// Translates serde's names of types for authors of configs.
fn in_words(wanted: &str) -> String {
    let words = match wanted {
        "a string" | "a string or byte array" => "a text",
        "path string" => "a path",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        _ if wanted.starts_with("struct ") => "a map",
        _ if wanted.starts_with("a nonzero u") => "a whole number from 1 on",
        _ => wanted,
    };
    words.to_owned()
}

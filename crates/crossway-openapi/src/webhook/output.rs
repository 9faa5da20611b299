//! Selects the part of a response that is the result.

use serde_json::Value;

/// The result's place in a JSON answer: a member's name, or a JSON pointer (RFC 6901).
///
/// A name is looked up in the answer, or in its first element if it is a list: n8n answers `{"output": ".."}` or `[{"output": ".."}]`,
/// depending on the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The whole answer, of any type.
    Whole,
    /// A member's name.
    Member(String),
    /// A JSON pointer.
    Pointer(String),
}

/// A text that is neither a name nor a pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither the name of a member nor a JSON pointer such as /data/0/output")]
pub struct BadOutput(String);

impl std::str::FromStr for Output {
    type Err = BadOutput;

    /// Parses a pointer if the text begins with a slash, a name otherwise.
    fn from_str(text: &str) -> Result<Self, BadOutput> {
        let escapes = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        match text {
            "" => Err(BadOutput(String::new())),
            text if text.starts_with('/') && escapes => Ok(Self::Pointer(text.to_owned())),
            text if text.starts_with('/') => Err(BadOutput(text.to_owned())),
            name => Ok(Self::Member(name.to_owned())),
        }
    }
}

impl Output {
    /// The value at this place.
    pub(super) fn of<'a>(&self, answer: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Whole => Some(answer),
            Self::Member(name) => match answer {
                Value::Array(list) => list.first()?.get(name),
                answer => answer.get(name),
            },
            Self::Pointer(pointer) => answer.pointer(pointer),
        }
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole => f.write_str("anything"),
            Self::Member(text) | Self::Pointer(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_is_found_by_name_or_by_pointer() {
        for (output, answer, wanted) in [
            ("output", json!({ "output": "a" }), Some(json!("a"))),
            ("output", json!([{ "output": "a" }, {}]), Some(json!("a"))),
            ("output", json!([]), None),
            ("output", json!("output"), None),
            ("/0/a~1b", json!([{ "a/b": 1 }]), Some(json!(1))),
            ("/1", json!([0]), None),
        ] {
            let found = output.parse::<Output>().unwrap();
            assert_eq!(found.of(&answer).cloned(), wanted, "{output} of {answer}");
        }
        assert!("".parse::<Output>().is_err() && "/a~2".parse::<Output>().is_err());
    }
}

//! Parses JSON within bounds, by `serde_json`.

use std::cell::RefCell;

use serde_json::Value;

use super::{Budget, DocumentError};
use crate::strict;

pub(super) fn parse(text: &str) -> Result<Value, DocumentError> {
    // The cost so far, and the error once a bound was reached.
    let reading = RefCell::new((Budget::default(), None));
    let take = |depth| {
        let (budget, bound) = &mut *reading.borrow_mut();
        *bound = budget.take(depth).err();
        bound.is_none()
    };
    let read = strict::read(serde_json::Deserializer::from_str(text), &take);
    read.map_err(|error| {
        if let (_, Some(bound)) = reading.take() {
            return bound;
        }
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        if message == "recursion limit exceeded" {
            return DocumentError::TooDeep { limit: super::limits::DOCUMENT_DEPTH };
        }
        DocumentError::Syntax {
            format: "JSON",
            message: message.to_owned(),
            line: error.line(),
            column: error.column(),
        }
    })
}

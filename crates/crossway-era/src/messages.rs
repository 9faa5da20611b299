//! Messages that both translations make or recognize.

use crossway_proto::{ErrorCode, ErrorObject, Message, ParseError, RequestId};

/// An error as a response.
pub(crate) fn error_of(id: &RequestId, error: &ErrorObject) -> Message {
    Message::error_of(Some(id), error)
}

/// A result as a response; an error if the result is not one that a message can have, as when its `_meta` is there twice.
pub(crate) fn answer(id: &RequestId, result: &[u8]) -> Message {
    let refused = |why: ParseError| ErrorObject::new(ErrorCode::INTERNAL_ERROR, why.to_string());
    Message::result_of(id, result).unwrap_or_else(|why| error_of(id, &refused(why)))
}

/// An empty result as a response.
pub(crate) fn empty(id: &RequestId) -> Message {
    Message::result_with(id, 0, |_| {})
}

/// Whether a notification reports a change, and so goes to subscriptions.
pub(crate) fn is_change(method: &str) -> bool {
    matches!(
        method,
        "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/resources/updated"
    )
}

//! Messages that both translations make or recognize.

use crossway_proto::{ErrorObject, Message, RequestId};

/// An error as a response.
#[expect(clippy::expect_used, reason = "its data was written by serde_json")]
pub(crate) fn error_of(id: &RequestId, error: ErrorObject) -> Message {
    Message::error_of(Some(id), &error).expect("valid by construction")
}

/// An error as the response to a request.
pub(crate) fn error_for(request: &Message, error: ErrorObject) -> Message {
    error_of(&request.id().unwrap_or_else(|| RequestId::from(0)), error)
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

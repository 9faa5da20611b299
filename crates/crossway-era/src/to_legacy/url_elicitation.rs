//! URL elicitation: the error by which a legacy server sends its user to URLs (-32042).

use crossway_proto::{ErrorCode, ErrorObject, Message, Outcome, Part, RequestId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::QUESTIONS;

/// URLElicitationRequiredError (2025-11-25, client/elicitation). "Implementations of this protocol version **MUST NOT** emit
/// these codes: [...] `-32042`" (2026-07-28, basic/index, Error Codes): there the client is asked by `input_required`.
pub(super) const REQUIRED: i64 = -32042;

/// The URL elicitations of an error, as requests for a modern client; `None` if it is another error, or can't be read.
///
/// "Any elicitations returned in the error **MUST** be URL mode elicitations and have an `elicitationId` property"
/// (2025-11-25, client/elicitation). The id is left out: modern revisions have none.
pub(super) fn visits(error: &Message) -> Option<Vec<Message>> {
    #[derive(Deserialize)]
    struct Code {
        code: i64,
    }
    #[derive(Deserialize)]
    struct Error<'a> {
        #[serde(borrow)]
        data: Data<'a>,
    }
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        elicitations: Vec<Visit<'a>>,
    }
    #[derive(Deserialize)]
    struct Visit<'a> {
        /// Some servers omit it, since no other mode is possible.
        #[serde(default)]
        mode: Option<String>,
        #[serde(borrow)]
        url: &'a RawValue,
        #[serde(borrow)]
        message: &'a RawValue,
    }
    let text = error.error()?;
    if serde_json::from_slice::<Code>(text).ok()?.code != REQUIRED {
        return None;
    }
    let visits = serde_json::from_slice::<Error<'_>>(text).ok()?.data.elicitations;
    let is_text = |json: &RawValue| json.get().starts_with('"');
    let are_fit = visits.iter().all(|visit| {
        visit.mode.as_deref().is_none_or(|mode| mode == "url") && is_text(visit.url) && is_text(visit.message)
    });
    if !are_fit || visits.is_empty() || visits.len() > QUESTIONS {
        return None;
    }
    let requests = visits.iter().map(|Visit { url, message, .. }| {
        let params = format!(r#"{{"mode":"url","url":{},"message":{}}}"#, url.get(), message.get());
        Message::request_of(&RequestId::from(0), "elicitation/create", Some(params.as_bytes())).ok()
    });
    requests.collect()
}

/// The error for a retried call whose user declined the URL elicitation: repeating the call would only elicit again. `None`: the call may
/// be sent.
#[must_use]
pub fn url_elicitation_refused(second: &Message) -> Option<Message> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(default)]
        action: Option<String>,
    }
    let responses = second.member(Part::Params, "inputResponses").unwrap_or_default();
    let responses: std::collections::HashMap<String, Response> = serde_json::from_slice(responses).ok()?;
    let is_refused = |response: &Response| matches!(response.action.as_deref(), Some("decline" | "cancel"));
    if !responses.values().any(is_refused) {
        return None;
    }
    let error = ErrorObject::of_call(
        ErrorCode::INTERNAL_ERROR,
        "the server does not answer before the user has been to the URL that it gave, which the user has not agreed to",
        Outcome::NotSent,
    );
    Some(second.error_response(&error))
}

//! Converts a webhook's response into a tool result.

use crossway_service::CallError;
use serde_json::Value;

use super::Output;
use crate::calling::{
    BodyKind, Incoming, ToolResult, is_success, kind, mime, refusal_of, result_of, unmarked,
};

pub(super) fn result(answer: &Incoming, output: &Output) -> Result<ToolResult, CallError> {
    if !is_success(answer) {
        return refusal_of(answer);
    }
    let is_json = kind(&mime(&answer.headers)) == BodyKind::Json;
    // n8n declares `application/json` for an empty answer too.
    let is_bare = answer.body.is_empty() || answer.is_done_elsewhere();
    if answer.is_cut || is_bare || !is_json || *output == Output::Whole {
        return result_of(answer, false);
    }
    let Ok(value) = serde_json::from_slice::<Value>(unmarked(&answer.body)) else {
        return result_of(answer, false);
    };
    Ok(match output.of(&value) {
        None => {
            let status = answer.status;
            let what = "it was done, and the answer has nothing at";
            ToolResult::error(&format!("HTTP {status}; {what} {output}, where its result should be"))
        }
        Some(Value::String(text)) => ToolResult::text(text),
        Some(value) => match serde_json::value::to_raw_value(value) {
            Ok(raw) => ToolResult::json(&raw, false),
            Err(_) => ToolResult::text(&value.to_string()),
        },
    })
}

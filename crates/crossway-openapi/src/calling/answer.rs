//! What becomes of an HTTP answer.

use std::time::{Duration, SystemTime};

use crossway_proto::http_rules::content_encoding::coding;
use crossway_service::{CallError, Outcome, Reason};
use http::{HeaderMap, StatusCode, header};
use serde_json::value::RawValue;

use super::client::{Incoming, is_redirect};
use super::limits;
use super::result::ToolResult;

/// What kind of thing a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Json,
    Text,
    Image,
    Audio,
    Other,
}

/// Makes a tool's result of what succeeded.
///
/// JSON stays the text that it is, and is structured content too if `is_structured`.
pub(crate) fn result_of(answer: &Incoming, is_structured: bool) -> Result<ToolResult, CallError> {
    let mime = mime(&answer.headers);
    if answer.is_cut {
        let most = answer.body.len();
        return Ok(ToolResult::error(&format!(
            "the answer has more than {most} bytes, and is left out; ask for less"
        )));
    }
    if let Some(coding) = coding(&answer.headers) {
        let what = format!("it is encoded as {coding}, which was not asked for");
        return Err(CallError::answered(Reason::InvalidAnswer(what.into())));
    }
    if answer.body.is_empty() {
        return Ok(ToolResult::text(&format!("HTTP {}, without a body", answer.status)));
    }
    let kind = kind(&mime);
    Ok(match kind {
        BodyKind::Json => match serde_json::from_slice::<&RawValue>(&answer.body) {
            Ok(value) => ToolResult::json(value, is_structured),
            Err(error) => {
                let what = format!("it says that it is JSON, and is not: {error}");
                return Err(CallError::answered(Reason::InvalidAnswer(what.into())));
            }
        },
        BodyKind::Text => match std::str::from_utf8(&answer.body) {
            Ok(text) => ToolResult::text(text),
            Err(_) => ToolResult::text(&note(&mime, answer.body.len())),
        },
        BodyKind::Image => ToolResult::media("image", &mime, &answer.body),
        BodyKind::Audio => ToolResult::media("audio", &mime, &answer.body),
        BodyKind::Other => match std::str::from_utf8(&answer.body) {
            // Without a type, or with the one that says nothing, text is told by being text.
            Ok(text) if mime.is_empty() => ToolResult::text(text),
            _ => ToolResult::text(&note(&mime, answer.body.len())),
        },
    })
}

/// Makes of a refusal what it is to whoever called: something for the model to read, or a call that failed.
///
/// | status | becomes |
/// |---|---|
/// | 401, 407, 429 | a failed call, *answered*: somebody has to do something first, or wait. 403 and 503 too if they say for how long |
/// | 502, 503 | a failed call; of 502 nobody knows whether the API has seen it |
/// | 408, 504 | a failed call, *unknown* |
/// | all others | a result with `isError`, the status, and the beginning of the body |
pub(crate) fn refusal_of(answer: &Incoming) -> Result<ToolResult, CallError> {
    let retry_after = retry_after(&answer.headers);
    let status = answer.status.as_u16();
    let outcome = match status {
        401 | 407 | 429 | 503 => Outcome::Answered,
        403 if retry_after.is_some() => Outcome::Answered,
        408 | 502 | 504 => Outcome::Unknown,
        _ => return Ok(error_of(answer)),
    };
    Err(CallError::new(Reason::Refused { status, retry_after }, outcome))
}

fn error_of(answer: &Incoming) -> ToolResult {
    let mut text = format!("HTTP {}", answer.status);
    if is_redirect(answer.status) {
        text.push_str(": it leads to another place, which is not followed");
        return ToolResult::error(&text);
    }
    if let Some(coding) = coding(&answer.headers) {
        text.push_str(&format!(": its text is encoded as {coding}, which was not asked for"));
        return ToolResult::error(&text);
    }
    let is_text = matches!(kind(&mime(&answer.headers)), BodyKind::Json | BodyKind::Text);
    if is_text && !answer.body.is_empty() {
        text.push_str(": ");
        text.push_str(String::from_utf8_lossy(&answer.body).trim());
        if answer.is_cut {
            text.push_str(" [cut]");
        }
    }
    ToolResult::error(&text)
}

/// Whether an answer is what was asked for.
pub(crate) fn is_success(status: StatusCode) -> bool {
    status.is_success()
}

/// The media type without its parameters, in lower case; empty if none is said.
pub(crate) fn mime(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_mime = mime.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+/".contains(&byte));
    if is_mime { mime } else { String::new() }
}

pub(crate) fn kind(mime: &str) -> BodyKind {
    let (main, sub) = mime.split_once('/').unwrap_or((mime, ""));
    match (main, sub) {
        (_, "json") => BodyKind::Json,
        (_, sub) if sub.ends_with("+json") => BodyKind::Json,
        ("image", _) => BodyKind::Image,
        ("audio", _) => BodyKind::Audio,
        ("text", _) | ("application", "xml" | "yaml" | "x-yaml" | "javascript" | "x-ndjson" | "jsonl") => {
            BodyKind::Text
        }
        (_, sub) if sub.ends_with("+xml") || sub.ends_with("+yaml") => BodyKind::Text,
        _ => BodyKind::Other,
    }
}

fn note(mime: &str, bytes: usize) -> String {
    let mime = if mime.is_empty() { "an unknown type" } else { mime };
    format!("the answer is {mime}, {bytes} bytes, which can't be shown here")
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(after.min(limits::RETRY_ASKED_MAX))
}

//! Converts an HTTP response into a tool result.

use std::borrow::Cow;
use std::time::SystemTime;

use crossway_proto::http_rules::content_encoding::coding;
use crossway_proto::http_rules::retry_after;
use crossway_service::{CallError, ErrorText, Outcome, Reason};
use http::{HeaderMap, header};
use serde_json::value::RawValue;

use super::client::{Incoming, is_redirect};
use super::limits;
use super::result::ToolResult;

/// The kind of a body, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Json,
    Text,
    Image,
    Audio,
    Other,
}

/// Converts a successful response into a tool result.
///
/// JSON stays the text that it is. With `is_structured` (the tool has an output schema) it becomes structured content too, and a response
/// that is not JSON becomes an error that says that the request was done, since clients accept nothing else.
pub(crate) fn result_of(answer: &Incoming, is_structured: bool) -> Result<ToolResult, CallError> {
    let mime = mime(&answer.headers);
    if answer.body.is_empty() || answer.is_done_elsewhere() {
        let told = completion_text(answer);
        return Ok(if is_structured {
            ToolResult::error(&format!(
                "{told}; it was done, though the document says that there is an answer"
            ))
        } else {
            ToolResult::text(&told)
        });
    }
    if answer.is_cut {
        let (status, most) = (answer.status, answer.body.len());
        return Ok(ToolResult::error(&match answer.is_of_safe {
            true => format!("the answer has more than {most} bytes, and is left out; ask for less"),
            // Without the advice to ask for less: it would make the model send the request again.
            false => {
                format!("HTTP {status}; it was done, and the answer, of more than {most} bytes, is left out")
            }
        }));
    }
    if let Some(coding) = coding(&answer.headers) {
        let what = format!("it is encoded as {coding}, which was not asked for");
        return Err(CallError::answered(Reason::InvalidAnswer(ErrorText::private(what))));
    }
    let kind = kind(&mime);
    if kind == BodyKind::Json {
        return match serde_json::from_slice::<&RawValue>(unmarked(&answer.body)) {
            Ok(value) => Ok(ToolResult::json(value, is_structured)),
            Err(error) => {
                let what = format!("it says that it is JSON, and is not: {error}");
                Err(CallError::answered(Reason::InvalidAnswer(ErrorText::private(what))))
            }
        };
    }
    let result = match kind {
        BodyKind::Image => ToolResult::media("image", &mime, &answer.body),
        BodyKind::Audio => ToolResult::media("audio", &mime, &answer.body),
        BodyKind::Json | BodyKind::Text => ToolResult::text(&text_of(answer)),
        // Many texts have an unknown media type, or `application/octet-stream`. Whether it is text is decided by the bytes.
        BodyKind::Other => match std::str::from_utf8(unmarked(&answer.body)) {
            Ok(text) if !text.contains('\0') => ToolResult::text(text),
            _ => ToolResult::text(&note(&mime, answer.body.len())),
        },
    };
    if !is_structured {
        return Ok(result);
    }
    let mime = if mime.is_empty() { "of no type" } else { &mime };
    let note = format!(
        "HTTP {}; it was done, and the answer is {mime}, though the document says that it is JSON",
        answer.status
    );
    Ok(result.not_as_said(&note))
}

/// The text for a response without a body, or with one that only says where to look.
fn completion_text(answer: &Incoming) -> String {
    let (status, location) = (answer.status, answer.location.as_deref());
    match (answer.is_done_elsewhere(), location) {
        (true, Some(location)) => format!("HTTP {status}: what came of it is at {location}"),
        (true, None) => format!("HTTP {status}: what came of it is at another server, which is not asked"),
        (false, Some(location)) => format!("HTTP {status}, without a body; it is at {location}"),
        (false, None) => format!("HTTP {status}, without a body"),
    }
}

/// A body without the byte order mark that some servers write before UTF-8. RFC 8259 (section 8.1) has readers of JSON ignore it.
pub(crate) fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The readable text of a body: UTF-8, or the Latin charset that older servers declare.
fn text_of(answer: &Incoming) -> Cow<'_, str> {
    let body = unmarked(&answer.body);
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if is_latin(&answer.headers) => body.iter().map(|byte| latin(*byte)).collect(),
        Err(_) => String::from_utf8_lossy(body),
    }
}

pub(super) fn is_latin(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let charset = value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    charset.is_some_and(|charset| {
        ["iso-8859-1", "iso8859-1", "latin1", "us-ascii", "windows-1252", "cp1252"]
            .contains(&charset.as_str())
    })
}

/// Decodes a byte of windows-1252, which all those charset names mean (WHATWG Encoding, section 4.2).
fn latin(byte: u8) -> char {
    const FROM_0X80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let place = byte.checked_sub(0x80).and_then(|at| FROM_0X80.get(usize::from(at)));
    place.copied().unwrap_or(char::from(byte))
}

/// Converts an error response: into a result for the model to read, or into a failed call.
///
/// | status | becomes |
/// |---|---|
/// | 401, 407, 429 | a failed call, *answered*: somebody has to act first, or wait. 403 and 503 too if they have `Retry-After` |
/// | 502, 503 | a failed call; with 502 nobody knows whether the API has seen the request |
/// | 408, 504 | a failed call, *unknown* |
/// | all others | a result with `isError`, the status, and the beginning of the body |
pub(crate) fn refusal_of(answer: &Incoming) -> Result<ToolResult, CallError> {
    let retry_after = retry_after(&answer.headers, SystemTime::now(), limits::RETRY_ASKED_MAX);
    let status = answer.status.as_u16();
    let outcome = match status {
        401 | 407 | 429 | 503 => Outcome::Answered,
        403 if retry_after.is_some() => Outcome::Answered,
        408 | 502 | 504 => Outcome::Unknown,
        _ => return Ok(error_of(answer)),
    };
    Err(CallError::new(Reason::Refused { status, retry_after, said: None }, outcome))
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
        text.push_str(text_of(answer).trim());
        if answer.is_cut {
            text.push_str(" [cut]");
        }
    }
    ToolResult::error(&text)
}

/// Whether the response says that the request was carried out.
pub(crate) fn is_success(answer: &Incoming) -> bool {
    answer.status.is_success() || answer.is_done_elsewhere()
}

/// The media type without parameters, in lower case; empty if there is none.
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

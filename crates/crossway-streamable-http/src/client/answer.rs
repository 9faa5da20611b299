//! Interprets an HTTP response to a request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use crossway_proto::http_rules;
use crossway_proto::http_rules::content_encoding::coding;
use crossway_proto::http_rules::content_type::BodyKind;
use crossway_proto::sse::SseDecoder;
use crossway_proto::{ErrorCode, Incoming, Kind, Message, RequestId, excerpt};
use crossway_service::{CallError, ErrorText, Outcome, Reason};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::events::Events;
use super::http::{BodyError, Response, ResponseBody};
use super::session::{Badge, Session};
use super::{headers, limits};

/// What answers a request.
pub(super) enum Answer {
    /// The final response.
    Final(Message),
    /// Messages in one piece, with the final response among them: a batch, as 2025-03-26 allows.
    Batch(Vec<Message>),
    /// Messages as they come.
    Stream(Box<Events>),
}

/// Reads the response to a request.
pub(super) async fn read(
    session: &Arc<Session>,
    badge: &Badge,
    id: &RequestId,
    response: Response,
) -> Result<Answer, CallError> {
    let Response { head, body } = response;
    if !head.status.is_success() {
        return Box::pin(refusal(session, badge, Some(id), head.status, &head.headers, body)).await;
    }
    if matches!(head.status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        body.let_go();
        let what = format!("HTTP status {} without an answer", head.status.as_u16());
        return Err(invalid(ErrorText::public(what)));
    }
    if let Some(coding) = coding(&head.headers) {
        body.let_go();
        return Err(encoded(&coding));
    }
    match BodyKind::of(&head.headers) {
        BodyKind::Json => whole(session, id, body).await,
        BodyKind::EventStream => {
            let decoder = SseDecoder::new(session.shared.limits.message.message_bytes);
            Ok(Answer::Stream(Box::new(Events::new(Arc::clone(session), body, decoder))))
        }
        BodyKind::Unsaid => Err(invalid("it has no content type")),
        _ => Err(invalid(ErrorText::private(format!(
            "its content type is {}, neither application/json nor text/event-stream",
            printable(head.headers.get(header::CONTENT_TYPE))
        )))),
    }
}

/// Reads an answer that is one JSON text.
async fn whole(session: &Arc<Session>, id: &RequestId, mut body: ResponseBody) -> Result<Answer, CallError> {
    let limits = &session.shared.limits.message;
    let text = body.collect(limits.message_bytes).await.map_err(broken)?;
    match Incoming::parse(text, limits) {
        Ok(Incoming::One(message)) => match to_answer(message, id) {
            Ok(answer) => Ok(Answer::Final(answer)),
            Err(_) => {
                session.shared.stray("an answer to another request");
                Err(invalid("it answers another request"))
            }
        },
        Ok(Incoming::Batch(messages)) if session.allows_batches() => Ok(Answer::Batch(messages)),
        Ok(Incoming::Batch(_)) => Err(invalid("it is a batch, which its revision does not allow")),
        Err(error) => Err(invalid(ErrorText::public(error.to_string()))),
    }
}

/// Returns a message that answers the request `id`, with the id as the client wrote it, or gives the message
/// back.
///
/// An error without an id answers the request too, because each request is a separate POST.
pub(super) fn to_answer(mut message: Message, id: &RequestId) -> Result<Message, Box<Message>> {
    match message.id() {
        Some(found) if message.is_response() && found == *id => {
            message.set_id(id);
            Ok(message)
        }
        None if message.kind() == Kind::Error => error_for(&message, id).ok_or_else(|| Box::new(message)),
        _ => Err(Box::new(message)),
    }
}

/// The same error under another id. Its own id may be missing, so it can't just be replaced.
fn error_for(message: &Message, id: &RequestId) -> Option<Message> {
    Message::error_with(id, message.error()?).ok()
}

/// Reads a refusal. A JSON-RPC error in it is the answer; otherwise the status decides.
///
/// `id` is that of the refused request; `None` for messages without an answer.
pub(super) async fn refusal(
    session: &Session,
    badge: &Badge,
    id: Option<&RequestId>,
    status: StatusCode,
    headers: &HeaderMap,
    body: ResponseBody,
) -> Result<Answer, CallError> {
    let retry_after = retry_after(headers);
    // Some servers and proxies repeat the request in a refusal. Words of clients and secrets must not get
    // into a log.
    let may_quote = badge.is_of_probe && !session.shared.sends_secrets;
    let text = refusal_text(headers, body, may_quote).await;
    let error = text.as_ref().and_then(|text| error_of(session, headers, text));
    // "The server MAY terminate the session at any time, after which it MUST respond to requests containing that
    // session ID with HTTP 404 Not Found." (2025-11-25, basic/transports, Session Management) A server of both eras
    // may say by 404 that it does not know the method, and then says so of this very request.
    let is_lost = badge.session.is_some()
        && match status {
            StatusCode::NOT_FOUND => !error.as_ref().is_some_and(|error| {
                id.is_some()
                    && error.id().as_ref() == id
                    && code_of(error) == Some(ErrorCode::METHOD_NOT_FOUND)
            }),
            status => error.as_ref().is_some_and(|error| says_session_is_unknown(badge, status, error)),
        };
    if is_lost {
        session.lost(badge);
        return Err(CallError::answered(Reason::SessionEnded).with_status(status.as_u16()));
    }
    // Its id does not matter: Python's servers write "server-error" there, and this exchange had only one
    // request.
    if let (Some(error), Some(id)) = (error, id)
        && let Some(answer) = error_for(&error, id)
    {
        return Ok(Answer::Final(answer));
    }
    let said = text.as_deref().filter(|_| may_quote).and_then(|text| quoted(headers, text));
    let said = said.map(ErrorText::private);
    Err(CallError::new(Reason::Refused { status: status.as_u16(), retry_after, said }, outcome_of(status)))
}

/// What servers say of a session that they do not know, as [`says_session_is_unknown`] reads it.
const SAID_OF_UNKNOWN_SESSIONS: [&str; 10] = [
    "not initialized",
    // Also of an invalid one, and of "no valid session".
    "valid session",
    "unknown session",
    "missing session",
    "expired session",
    "session not found",
    "session expired",
    "session has expired",
    "session terminated",
    "session has been terminated",
];

/// Whether a server says with a status other than 404 that it does not know the session. Many do: those that
/// follow the example of the TypeScript SDK answer 400 with "Bad Request: No valid session ID provided" after
/// each restart.
///
/// Such an error names no request, because the server has processed none: it is safe to repeat the request in
/// a new session. A server that says that there is no such method, or that the arguments are wrong, has looked at
/// the request: it speaks of that, such as of an argument `session`.
pub(super) fn says_session_is_unknown(badge: &Badge, status: StatusCode, error: &Message) -> bool {
    #[derive(serde::Deserialize)]
    struct Text<'a> {
        #[serde(borrow)]
        message: Cow<'a, str>,
    }
    if !matches!(status, StatusCode::BAD_REQUEST | StatusCode::GONE)
        || error.id().is_some()
        || matches!(code_of(error), Some(ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_PARAMS))
    {
        return false;
    }
    let Some(Ok(Text { message })) = error.error().map(serde_json::from_slice::<Text<'_>>) else {
        return false;
    };
    let bare =
        |word: &str| word.trim_matches(|char: char| !char.is_ascii_alphanumeric()).to_ascii_lowercase();
    let session_id = badge.session.as_ref().and_then(|id| id.to_str().ok()).map(bare);
    // "the Mcp-Session-Id abc" is the session, too.
    let words = message.split_whitespace().map(bare).filter_map(|word| match word.as_str() {
        "mcp-session-id" | "session-id" | "session_id" | "sessionid" => Some("session".to_owned()),
        "" | "id" | "header" => None,
        _ => Some(word).filter(|word| session_id.as_ref() != Some(word)),
    });
    let words = words.collect::<Vec<_>>().join(" ");
    SAID_OF_UNKNOWN_SESSIONS.iter().any(|said| words.contains(said))
}

/// The outcome that a status shows. Proxies report with these statuses that they do not know what became of
/// the request.
fn outcome_of(status: StatusCode) -> Outcome {
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => {
            Outcome::Unknown
        }
        _ => Outcome::Answered,
    }
}

/// The JSON-RPC error in the body of a refusal.
pub(super) async fn error_in(session: &Session, headers: &HeaderMap, body: ResponseBody) -> Option<Message> {
    error_of(session, headers, &refusal_text(headers, body, false).await?)
}

/// Reads the body of a refusal, if it is JSON, or plain text that may be quoted.
async fn refusal_text(headers: &HeaderMap, mut body: ResponseBody, may_quote: bool) -> Option<Bytes> {
    let is_wanted = headers::is_json(headers) || may_quote && headers::may_be_plain_text(headers);
    if !is_wanted || coding(headers).is_some() {
        body.let_go();
        return None;
    }
    // A refusal that never ends must not be waited for longer than it is worth.
    tokio::time::timeout(limits::CLOSE, body.collect(limits::ERROR_BODY)).await.ok()?.ok()
}

fn error_of(session: &Session, headers: &HeaderMap, text: &Bytes) -> Option<Message> {
    let text = text.clone();
    let message =
        headers::is_json(headers).then(|| Message::parse(text, &session.shared.limits.message))?.ok()?;
    (message.kind() == Kind::Error).then_some(message)
}

/// The part of a refusal's text that may be quoted: its first line, or JSON in one line. Never HTML.
fn quoted(headers: &HeaderMap, text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = if headers::is_json(headers) {
        lines.collect::<Vec<_>>().join(" ")
    } else {
        lines.next()?.to_owned()
    };
    (!line.is_empty() && !line.starts_with('<')).then(|| excerpt(&line, limits::QUOTED_TEXT_CHARS))
}

/// The code of an error response.
pub(super) fn code_of(error: &Message) -> Option<ErrorCode> {
    #[derive(serde::Deserialize)]
    struct Code {
        code: i64,
    }
    serde_json::from_slice::<Code>(error.error()?).ok().map(|error| ErrorCode(error.code))
}

/// `Retry-After`, up to an hour.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    http_rules::retry_after(headers, SystemTime::now(), limits::RETRY_ASKED_MAX)
}

/// A body that could not be read. The request was sent, and may have had its effect.
pub(super) fn broken(error: BodyError) -> CallError {
    CallError::unknown(match error {
        BodyError::TooLong(_) => Reason::InvalidAnswer(ErrorText::public(error.to_string())),
        BodyError::Broken(error) => {
            Reason::Ended(ErrorText::private(format!("the connection broke within the answer: {error}")))
        }
        BodyError::Silent(_) => Reason::Ended(ErrorText::public(format!("within the answer, {error}"))),
    })
}

pub(super) fn invalid(what: impl Into<ErrorText>) -> CallError {
    CallError::unknown(Reason::InvalidAnswer(what.into()))
}

/// The error for an answer that is encoded although that was not requested.
pub(super) fn encoded(coding: &str) -> CallError {
    invalid(ErrorText::private(format!("it is encoded as {coding}, which was not asked for")))
}

/// The part of a header that an error may quote: a short piece of plain text.
fn printable(value: Option<&HeaderValue>) -> String {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or("not readable");
    text.split(';')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|char| char.is_ascii_graphic())
        .take(limits::QUOTED_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use crossway_testkit::message;

    use super::*;

    #[test]
    fn an_answer_has_the_id_as_the_client_wrote_it() {
        let answer = message(r#"{"id":1,"jsonrpc":"2.0","result":{"n":1.50}}"#);
        let answer = to_answer(answer, &RequestId::parse(b"1.0").unwrap()).unwrap();
        assert_eq!(answer.to_bytes(), r#"{"id":1.0,"jsonrpc":"2.0","result":{"n":1.50}}"#);
    }

    #[test]
    fn an_error_without_an_id_answers_the_request() {
        for text in [
            r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"no"},"id":null}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"no"}}"#,
        ] {
            let answer = to_answer(message(text), &RequestId::from("a")).unwrap();
            assert_eq!(
                answer.to_bytes(),
                r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32600,"message":"no"}}"#
            );
        }
    }

    #[test]
    fn what_answers_another_request_is_given_back() {
        for text in [
            r#"{"jsonrpc":"2.0","id":"1","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
        ] {
            assert_eq!(to_answer(message(text), &RequestId::from(1)), Err(Box::new(message(text))));
        }
    }
}

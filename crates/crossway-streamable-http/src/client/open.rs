//! The HTTP requests of a reply: the POST, and the GET that resumes a broken stream.

use std::sync::Arc;
use std::time::Duration;

use crossway_proto::http_rules::content_encoding::coding;
use crossway_proto::http_rules::names::LAST_EVENT_ID;
use crossway_proto::sse::SseDecoder;
use crossway_proto::{ErrorCode, Kind, Message, RequestId};
use crossway_service::{CallError, ErrorText, Reason, TraceContext};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::answer::{self, Answer};
use super::events::Events;
use super::http::{Outbound, Purpose, Response};
use super::retry::Retry;
use super::session::{self, Badge, Session};
use super::{headers, limits, mirror};

/// How a request is made.
#[derive(Clone)]
pub(super) enum Manner {
    /// `initialize`, which opens a session.
    Initialize,
    /// A legacy message, sent in the session if there is one.
    Legacy {
        /// Where it stands in a trace.
        trace: Option<TraceContext>,
    },
    /// A stateless request, with its metadata mirrored in headers (2026-07-28,
    /// basic/transports/streamable-http).
    Modern {
        version: HeaderValue,
        /// The `Mcp-Param-*` headers that came with it; `None` if it did not come over HTTP.
        params: Option<HeaderMap>,
        /// Where it stands in a trace.
        trace: Option<TraceContext>,
    },
}

impl Manner {
    pub(super) fn is_modern(&self) -> bool {
        matches!(self, Self::Modern { .. })
    }
}

/// POSTs a request and reads the response, up to the answer or the start of a stream.
pub(super) async fn ask(
    session: Arc<Session>,
    request: Message,
    id: RequestId,
    manner: Manner,
) -> Result<Answer, CallError> {
    let badge = match manner {
        Manner::Legacy { .. } => session.badge(),
        _ => Badge::default(),
    };
    let first = ask_once(&session, &request, &id, &manner, &badge).await?;
    let Answer::Final(answer) = &first else { return Ok(first) };
    // "If the server rejects a request with a `HeaderMismatch` error because required `Mcp-Param-*` headers are
    // missing or do not match the body, the client SHOULD call `tools/list` [...], then retry the original request"
    // (2026-07-28, basic/transports/streamable-http, Client Behavior). The refused request had no effect.
    let is_public = matches!(manner, Manner::Modern { params: None, .. }) && request.is_method("tools/call");
    if !is_public
        || answer.kind() != Kind::Error
        || answer::code_of(answer) != Some(ErrorCode::HEADER_MISMATCH)
    {
        return Ok(first);
    }
    if Box::pin(mirror::learn_anew(&session, &request, &manner)).await {
        return Box::pin(ask_once(&session, &request, &id, &manner, &badge)).await;
    }
    Ok(first)
}

/// POSTs a request once.
pub(super) async fn ask_once(
    session: &Arc<Session>,
    request: &Message,
    id: &RequestId,
    manner: &Manner,
    badge: &Badge,
) -> Result<Answer, CallError> {
    let outbound = Outbound {
        method: Method::POST,
        headers: || {
            let mut headers = session.shared.headers.clone();
            match manner {
                Manner::Initialize => {}
                Manner::Legacy { trace } => {
                    badge.put_on(&mut headers);
                    headers::trace(&mut headers, trace.as_ref());
                }
                Manner::Modern { version, params, trace } => {
                    headers::mirror(&mut headers, request, version);
                    headers::trace(&mut headers, trace.as_ref());
                    match params {
                        Some(params) => {
                            headers.extend(params.iter().map(|(name, value)| (name.clone(), value.clone())));
                        }
                        None => session.shared.mirrored.add_headers(request, &mut headers),
                    }
                }
            }
            headers
        },
        message: Some(request),
        purpose: Purpose::Call,
    };
    let response = session.shared.http.send(outbound).await?;
    if matches!(manner, Manner::Initialize) && response.head.status.is_success() {
        let id = session::session_id(&response.head.headers).map_err(answer::invalid)?;
        if let Some(id) = id {
            session.assign(id);
        }
    }
    answer::read(session, badge, id, response).await
}

/// GETs a stream: the standing one, or one that is resumed after an event.
pub(super) async fn get(
    session: &Session,
    badge: &Badge,
    last_event_id: Option<&[u8]>,
    purpose: Purpose,
) -> Result<Response, CallError> {
    let last_event_id = last_event_id.and_then(|id| HeaderValue::from_bytes(id).ok());
    let outbound = Outbound {
        method: Method::GET,
        headers: || {
            let accept = Some(headers::EVENT_STREAM);
            let mut headers = headers::without_body(session.shared.headers.clone(), accept);
            badge.put_on(&mut headers);
            if let Some(id) = &last_event_id {
                headers.insert(LAST_EVENT_ID.clone(), id.clone());
            }
            headers
        },
        message: None,
        purpose,
    };
    session.shared.http.send(outbound).await
}

/// Resumes a stream that ended before the answer.
///
/// "If the client wishes to resume after a disconnection [...], it **SHOULD** issue an HTTP GET to the MCP endpoint,
/// and include the `Last-Event-ID` header" (2025-11-25, basic/transports, Resumability and Redelivery).
pub(super) async fn resume(
    session: Arc<Session>,
    decoder: SseDecoder,
    mut retry: Retry,
) -> Result<(Box<Events>, Retry), CallError> {
    let mut asked = decoder.retry().map(Duration::from_millis);
    loop {
        if retry.failures() >= limits::RESUMES {
            return Err(unanswered("and could not be resumed"));
        }
        tokio::time::sleep(retry.failed(asked)).await;
        let badge = session.badge();
        let response = match get(&session, &badge, decoder.last_event_id(), Purpose::Call).await {
            Ok(response) => response,
            Err(error) if matches!(error.reason(), Reason::InvalidAnswer(_)) => return Err(error),
            // It may be starting again.
            Err(_) => continue,
        };
        let status = response.head.status;
        if status == StatusCode::OK && headers::is_event_stream(&response.head.headers) {
            return Ok((Box::new(Events::new(session, response.body, decoder)), retry));
        }
        if is_transient(status) {
            asked = answer::retry_after(&response.head.headers).or(asked);
            response.body.let_go();
            continue;
        }
        if let Some(coding) = coding(&response.head.headers).filter(|_| status == StatusCode::OK) {
            response.body.let_go();
            return Err(answer::encoded(&coding));
        }
        let error = answer::error_in(&session, &response.head.headers, response.body).await;
        let is_lost = status == StatusCode::NOT_FOUND
            || error.is_some_and(|error| answer::says_session_is_unknown(&badge, status, &error));
        if is_lost && badge.session.is_some() {
            session.lost(&badge);
            return Err(CallError::unknown(Reason::SessionEnded));
        }
        let status = format!("and is not resumed (HTTP status {})", status.as_u16());
        return Err(unanswered(ErrorText::public(status)));
    }
}

/// Whether a status may change soon.
pub(super) fn is_transient(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT
        )
}

/// The failure of a call whose stream ended too early.
pub(super) fn unanswered(more: impl Into<ErrorText>) -> CallError {
    let more = more.into();
    let what = format!("the stream ended without the answer {more}").trim_end().to_owned();
    CallError::unknown(Reason::Ended(if more.is_public() {
        ErrorText::public(what)
    } else {
        ErrorText::private(what)
    }))
}

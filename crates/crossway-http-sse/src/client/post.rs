//! Sends one message by POST.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossway_proto::http_rules;
use crossway_proto::http_rules::content_encoding::coding;
use crossway_proto::http_rules::content_type::BodyKind;
use crossway_proto::{Incoming, Kind, Message};
use crossway_service::{CallError, ErrorText, Reason, with_causes};
use http::header::LOCATION;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming as Body;
use url::Url;

use super::endpoint::redirect;
use super::error::OpenError;
use super::wire::{Outgoing, Wire};
use super::{ClientLimits, Shared};

/// The URL and headers of a session's POSTs.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: Url,
    line: Uri,
    pub(super) headers: HeaderMap,
}

impl Target {
    pub(super) fn new(shared: &Shared, url: Url, headers: HeaderMap) -> Result<Self, OpenError> {
        Ok(Self { line: shared.target(&url)?, url, headers })
    }

    fn request(&self, message: &Message) -> Outgoing {
        let mut request = Request::new(Full::new(message.into()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.line.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// POSTs a message. Returns the messages in the response; common servers send these on the stream instead.
///
/// # Errors
///
/// The outcome is *not sent* where the server's status says so, where nothing reached the server, or where its redirect can't be followed.
pub(super) async fn post(
    shared: Arc<Shared>,
    mut target: Arc<Target>,
    message: Message,
) -> Result<Option<Incoming>, CallError> {
    for _ in 0..=shared.limits.redirects {
        let (mut wire, response) = send(&shared, target.request(&message)).await?;
        let status = response.status();
        if let Some(refused) = shared.refused_by_proxy(status) {
            return Err(refused.to_call_error());
        }
        // Only these two keep the method (RFC 9110, sections 15.4.8 and 15.4.9).
        if matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
            let to = redirect(&target.url, response.headers().get(LOCATION));
            let to = to.and_then(|url| Target::new(&shared, url, target.headers.clone()));
            target = Arc::new(to.map_err(|error| error.to_call_error())?);
            discard(&shared, wire, response).await;
            continue;
        }
        let refusal = (!status.is_success()).then(|| refusal(&response));
        // A JSON body would be the answer, so only that is worth a note.
        let coding = coding(response.headers());
        if let Some(coding) = coding.as_deref().filter(|_| BodyKind::of(response.headers()) == BodyKind::Json)
        {
            tracing::debug!(coding, "an answer to a POST is encoded, which was not asked for, and not read");
        }
        if coding.is_some() || BodyKind::of(response.headers()) != BodyKind::Json {
            discard(&shared, wire, response).await;
            return refusal.map_or(Ok(None), Err);
        }
        let text = wire.collect(response.into_body(), shared.limits.message.message_bytes).await;
        let text = match text {
            Ok(Some(text)) => text,
            Ok(None) => return Err(CallError::unknown(Reason::InvalidAnswer("it is too long".into()))),
            Err(error) => {
                let lost = CallError::unknown(Reason::Ended(ErrorText::private(with_causes(&error))));
                return Err(refusal.unwrap_or(lost));
            }
        };
        recycle(&shared, wire).await;
        // JSON that is not a message is just a server's way of saying OK.
        let answer = Incoming::parse(text, &shared.limits.message).ok();
        return match refusal {
            None => Ok(answer),
            Some(refusal) => match answer {
                Some(Incoming::One(answer)) if answers(&answer, &message) => Ok(Some(Incoming::One(answer))),
                _ => Err(refusal),
            },
        };
    }
    Err(OpenError::Redirect("too often").to_call_error())
}

/// Sends a request on an idle connection, or on a new one.
async fn send(shared: &Shared, mut request: Outgoing) -> Result<(Box<Wire>, Response<Body>), CallError> {
    loop {
        let (mut wire, is_fresh) = match shared.pool.take() {
            Some(wire) => (wire, false),
            None => (Wire::connect(&shared.connector).await.map_err(|error| error.to_call_error())?, true),
        };
        match wire.send(request).await {
            Ok(response) => return Ok((wire, response)),
            Err(fault) => match fault.unsent {
                // The server had closed the connection meanwhile.
                Some(unsent) if !is_fresh => request = *unsent,
                Some(_) => {
                    return Err(CallError::not_sent(Reason::Unavailable(ErrorText::private(with_causes(
                        &fault.error,
                    )))));
                }
                None => {
                    return Err(CallError::unknown(Reason::Ended(ErrorText::private(with_causes(
                        &fault.error,
                    )))));
                }
            },
        }
    }
}

/// Reads and drops a body, so that its connection can be reused.
async fn discard(shared: &Shared, mut wire: Box<Wire>, response: Response<Body>) {
    if let Ok(Some(_)) = wire.collect(response.into_body(), ClientLimits::DISCARDED_BYTES).await {
        recycle(shared, wire).await;
    }
}

async fn recycle(shared: &Shared, mut wire: Box<Wire>) {
    if wire.is_reusable().await {
        shared.pool.put(wire);
    }
}

/// The error for a status other than success.
fn refusal(response: &Response<Body>) -> CallError {
    let status = response.status();
    let reason = Reason::Refused { status: status.as_u16(), retry_after: retry_after(response), said: None };
    // After these the message may have been accepted: by a proxy that has forwarded it (408, 502, 504), or by a server that failed then.
    let is_refused = !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT
        || matches!(
            status,
            StatusCode::NOT_IMPLEMENTED
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::HTTP_VERSION_NOT_SUPPORTED
        );
    // Never "not sent": the POST has arrived somewhere, and would be repeated then.
    if is_refused { CallError::answered(reason) } else { CallError::unknown(reason) }
}

/// `Retry-After`, up to an hour.
pub(super) fn retry_after(response: &Response<Body>) -> Option<Duration> {
    http_rules::retry_after(response.headers(), SystemTime::now(), ClientLimits::RETRY_ASKED_MAX)
}

/// Whether a JSON-RPC error in a refusal answers this message.
fn answers(answer: &Message, message: &Message) -> bool {
    answer.kind() == Kind::Error
        && message.is_request()
        && (answer.id().is_none() || answer.id() == message.id())
}

//! Builds responses.

use std::sync::Arc;
use std::time::Duration;

use crossway_proto::http_rules::Refusal;
use crossway_proto::{ErrorCode, Message, ParseError, RequestId};
use crossway_service::CallError;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::body::Body;
use super::read::BodyFault;
use super::session::{NotTaken, Session};
use super::sessions::NoSession;

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A session's stream, which begins with the `endpoint` event.
pub(super) fn stream(session: Arc<Session>, endpoint: &str) -> Response<Body> {
    let mut response = Response::new(Body::events(session, endpoint));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // Tells buffering proxies to forward each event at once.
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// The response to a message that was accepted; its answer comes on the stream.
pub(super) fn accepted() -> Response<Body> {
    let mut response = Response::new(Body::text("Accepted"));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The answer to a CORS preflight request.
pub(super) fn preflight(told: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::text(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = told;
    response
}

/// A refusal, with a JSON-RPC error that gives the reason.
pub(super) fn refuse(refusal: &Refusal, id: Option<&RequestId>) -> Response<Body> {
    let error = Message::error_of(id, &refusal.to_error());
    let mut response = Response::new(Body::text(error.to_bytes()));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refuse_with(status: StatusCode, message: &'static str, id: Option<&RequestId>) -> Response<Body> {
    refuse(&Refusal::new(status, ErrorCode::INVALID_REQUEST, message), id)
}

pub(super) fn not_found() -> Response<Body> {
    refuse_with(StatusCode::NOT_FOUND, "there is nothing at this path", None)
}

pub(super) fn wrong_method(allowed: &'static str) -> Response<Body> {
    let mut response = refuse_with(StatusCode::METHOD_NOT_ALLOWED, "this path is not for that method", None);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn missing_session() -> Response<Body> {
    refuse_with(
        StatusCode::BAD_REQUEST,
        "the URL names no session; POST to the URL of the endpoint event",
        None,
    )
}

pub(super) fn unknown_session() -> Response<Body> {
    refuse_with(StatusCode::NOT_FOUND, "there is no such session; open a new stream", None)
}

pub(super) fn no_session(reason: NoSession, retry_after: Duration) -> Response<Body> {
    let message = match reason {
        NoSession::Draining => "the server is about to stop",
        NoSession::TableFull => "there are too many sessions",
        NoSession::NoRandomness => {
            let refusal = Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                ErrorCode::INTERNAL_ERROR,
                "the system has no random numbers to name a session with",
            );
            return refuse(&refusal, None);
        }
    };
    later(StatusCode::SERVICE_UNAVAILABLE, message, None, retry_after)
}

pub(super) fn not_taken(reason: NotTaken, id: Option<&RequestId>, retry_after: Duration) -> Response<Body> {
    match reason {
        NotTaken::Ended => unknown_session(),
        NotTaken::Full => later(
            StatusCode::TOO_MANY_REQUESTS,
            "too much of this session is on its way; read its stream",
            id,
            retry_after,
        ),
        NotTaken::Draining => {
            later(StatusCode::SERVICE_UNAVAILABLE, "the server is about to stop", id, retry_after)
        }
    }
}

/// Refuses a stream because its caller's request limit is exceeded: "the user has sent too many requests in a given amount of time"
/// (RFC 6585, section 4).
pub(super) fn too_many(error: &CallError) -> Response<Body> {
    let mut response = Response::new(Body::text(error.to_message(None).to_bytes()));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(RETRY_AFTER, HeaderValue::from(error.retry_after_seconds().unwrap_or(1)));
    response
}

fn later(
    status: StatusCode,
    text: &'static str,
    id: Option<&RequestId>,
    retry_after: Duration,
) -> Response<Body> {
    let mut response = refuse(&Refusal::new(status, ErrorCode::OVER_LIMIT, text), id);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    response
}

/// Refuses an incomplete body. After one that was too slow, nothing more can be read from the connection.
pub(super) fn bad_body(fault: BodyFault, version: Version) -> Response<Body> {
    let (status, text) = match fault {
        BodyFault::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the message is too long"),
        BodyFault::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyFault::Broken => (StatusCode::BAD_REQUEST, "the body broke off"),
    };
    let mut response = refuse_with(status, text, None);
    if fault != BodyFault::TooLong && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

pub(super) fn bad_message(error: &ParseError) -> Response<Body> {
    let status = match error {
        ParseError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    refuse(&Refusal::new(status, error.code(), error.to_string()), None)
}

/// Refuses a batch. 2024-11-05, basic, has single requests, responses and notifications; batches came with 2025-03-26 and its
/// Streamable HTTP.
pub(super) fn batch() -> Response<Body> {
    refuse_with(StatusCode::BAD_REQUEST, "this transport takes one message per POST, and no batches", None)
}

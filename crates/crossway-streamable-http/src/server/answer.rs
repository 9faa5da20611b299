//! Builds responses.

use crossway_proto::http_rules::Refusal;
use crossway_proto::http_rules::names::{MCP_SESSION_ID, X_ACCEL_BUFFERING};
use crossway_proto::{ErrorCode, ErrorObject, Message, RequestId};
use crossway_service::CallError;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Body;
use super::events::EventStream;
use super::failure::{status_in_session, status_of};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// A response with one message as JSON.
pub(crate) fn message(status: StatusCode, message: &Message) -> Response<Body> {
    json(status, Body::message(message))
}

/// A response with the responses to a batch as one JSON array.
pub(crate) fn batch(responses: &[Message]) -> Response<Body> {
    json(StatusCode::OK, Body::batch(responses))
}

fn json(status: StatusCode, body: Body) -> Response<Body> {
    /// The usual number of headers of a request. A response's header table is reused for its connection's next request.
    const OF_REQUEST: usize = 12;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().reserve(OF_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A response with a stream of events, which neither caches nor proxies may hold back.
pub(crate) fn events(events: EventStream) -> Response<Body> {
    let mut response = Response::new(Body::events(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(&X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// A response without content.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer to a browser's preflight request.
pub(crate) fn preflight(told: HeaderMap) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    *response.headers_mut() = told;
    response
}

/// A refusal, as the error for the request `id`, or for no request in particular.
pub(crate) fn refusal(refusal: &Refusal, id: Option<&RequestId>) -> Response<Body> {
    let response = message(refusal.status, &Message::error_of(id, &refusal.to_error()));
    match refusal.status {
        StatusCode::SERVICE_UNAVAILABLE => retry_after(response, super::limits::RETRY_AFTER),
        _ => response,
    }
}

/// A refusal of a method, with the allowed ones.
pub(crate) fn not_allowed(allowed: &'static str, why: &'static str) -> Response<Body> {
    let error = Message::error_of(None, &ErrorObject::new(ErrorCode::INVALID_REQUEST, why));
    let mut response = message(StatusCode::METHOD_NOT_ALLOWED, &error);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The response to a call that failed in a session.
pub(crate) fn failure_in_session(failed: &CallError, id: Option<&RequestId>) -> Response<Body> {
    message(status_in_session(failed), &failed.to_message(id))
}

/// The response to any other failure.
pub(crate) fn failure(failed: &CallError, id: Option<&RequestId>) -> Response<Body> {
    let (status, after) = status_of(failed);
    let response = message(status, &failed.to_message(id));
    match after {
        Some(after) => retry_after(response, after),
        None => response,
    }
}

/// A request over its limit, outside sessions: "the user has sent too many requests in a given amount of time" (RFC 6585, section 4).
pub(crate) fn too_many(error: &CallError, id: Option<&RequestId>) -> Response<Body> {
    let after = error.retry_after_seconds().unwrap_or(super::limits::RETRY_AFTER);
    retry_after(message(StatusCode::TOO_MANY_REQUESTS, &error.to_message(id)), after)
}

/// Adds the session id to a response.
pub(crate) fn with_session(mut response: Response<Body>, id: HeaderValue) -> Response<Body> {
    response.headers_mut().insert(&MCP_SESSION_ID, id);
    response
}

fn retry_after(mut response: Response<Body>, seconds: u64) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

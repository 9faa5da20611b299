//! Stateless requests: 2026-07-28 and later.

use std::sync::Arc;

use crossway_proto::http_rules::{Refusal, mirror};
use crossway_proto::{ErrorCode, Message, Revision};
use crossway_service::{Call, Context, Origin, extension_of};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::exchange::{Asked, Caller, Exchange, RequestKind};
use super::head::{draining, too_many_streams};
use super::post::Post;
use super::session;
use crate::ParamHeaders;

/// Methods that modern revisions have removed. They are not passed on: an upstream of both eras would take
/// them for a legacy client's.
const REMOVED: [&str; 5] =
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

/// Passes a stateless request or notification on.
pub(crate) fn open(post: &mut Post, message: Message, revision: Revision) -> Result<Exchange, Refusal> {
    if message.is_response() {
        // "The client **MUST NOT** send JSON-RPC _responses_" (2026-07-28, basic/transports/streamable-http).
        return Err(refuse(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, "clients send no responses"));
    }
    check(post, &message)?;
    let endpoint = Arc::clone(&post.endpoint);
    let kind = match message.method().as_deref() {
        Some("subscriptions/listen") if message.is_request() => {
            if endpoint.stop.is_stopped() {
                return Err(draining());
            }
            let place = session::place(extension_of(&post.parts.extensions));
            RequestKind::Subscription { _place: place.map_err(|_| too_many_streams())? }
        }
        Some("tools/list") => RequestKind::ToolList(extension_of(&post.parts.extensions).cloned()),
        _ => RequestKind::Plain,
    };
    let asked = message.id().map_or(Asked::Nothing, |id| Asked::request(id, kind));
    let link = endpoint.shared_link().ok_or_else(draining)?.clone();
    let mut context = Context::new(Origin::unique(), Some(revision));
    context.extensions = std::mem::take(&mut post.parts.extensions).into();
    context.extensions.insert(ParamHeaders(param_headers(&post.parts.headers)));
    let reply = link.call(Call::message(message, context));
    Ok(Exchange::new(endpoint, Caller::Stateless(link), asked, None, reply))
}

fn check(post: &Post, message: &Message) -> Result<(), Refusal> {
    let headers = &post.parts.headers;
    let method = message.method().unwrap_or_default();
    if !message.is_request() {
        return mirror::check_notification(headers, &method);
    }
    match mirror::name_member(&method) {
        Some("taskId") => mirror::check_request(headers, &method, task_id(message).as_deref())?,
        _ => mirror::check_request(headers, &method, message.name().as_deref())?,
    }
    if !message.says_client_capabilities() {
        let why = "the request's _meta needs io.modelcontextprotocol/clientCapabilities, an object";
        return Err(refuse(StatusCode::BAD_REQUEST, ErrorCode::INVALID_PARAMS, why));
    }
    if REMOVED.contains(&method.as_ref()) {
        // "If the server does not implement the requested RPC method, it **MUST** respond with `404 Not Found` and a
        // JSON-RPC error with code `-32601`" (2026-07-28, basic/transports/streamable-http).
        return Err(refuse(
            StatusCode::NOT_FOUND,
            ErrorCode::METHOD_NOT_FOUND,
            "the revision has no such method",
        ));
    }
    if method != "tools/call" {
        return Ok(());
    }
    post.endpoint.tools.check(extension_of(&post.parts.extensions), headers, message)
}

fn refuse(status: StatusCode, code: ErrorCode, why: &'static str) -> Refusal {
    Refusal::new(status, code, why)
}

fn param_headers(headers: &HeaderMap) -> HeaderMap {
    mirror::param_headers(headers).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[derive(Deserialize)]
struct Task {
    #[serde(rename = "taskId")]
    task_id: String,
}

fn task_id(message: &Message) -> Option<String> {
    message.params().and_then(|params| serde_json::from_slice::<Task>(params).ok()).map(|task| task.task_id)
}

/// The HTTP status of the answer to an `initialize`. A server that only speaks modern revisions refuses it
/// with one of their errors.
pub(crate) fn status_of_opening(response: &Message) -> StatusCode {
    match error_code(response) {
        Some(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// The HTTP status of a response. The protocol defines one for its own errors.
///
/// -32601 is 404, and the errors that the specification defines are 400; the answer of a method is 200,
/// whether it is an error or not (2026-07-28, basic/transports/streamable-http and basic/index, Error Codes).
pub(crate) fn status_of(response: &Message) -> StatusCode {
    match error_code(response) {
        Some(ErrorCode::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(
            ErrorCode::HEADER_MISMATCH
            | ErrorCode::MISSING_CLIENT_CAPABILITY
            | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
        ) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

fn error_code(response: &Message) -> Option<ErrorCode> {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
    }
    let error = serde_json::from_slice::<Error>(response.error()?).ok()?;
    Some(ErrorCode(error.code))
}

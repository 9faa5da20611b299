//! Builds request headers.

use crossway_proto::http_rules::content_encoding;
use crossway_proto::http_rules::content_type::BodyKind;
use crossway_proto::http_rules::mirror;
use crossway_proto::http_rules::names::MCP_PROTOCOL_VERSION;
use crossway_proto::{Message, Revision};
use crossway_service::TraceContext;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::Options;
use super::endpoint::Endpoint;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// "The client **MUST** include an `Accept` header, listing both `application/json` and `text/event-stream`"
/// (2025-11-25, basic/transports; the same in 2026-07-28).
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// Returns the headers that all POSTs to an endpoint share.
pub(super) fn base(endpoint: &Endpoint, options: &Options) -> HeaderMap {
    // With room for the session's headers, so that copies do not grow.
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(header::HOST, endpoint.host.clone());
    headers.insert(header::ACCEPT, BOTH);
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::ACCEPT_ENCODING, content_encoding::IDENTITY);
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("crossway/", env!("CARGO_PKG_VERSION"))),
    );
    for name in options.headers.keys() {
        headers.remove(name);
    }
    headers.extend(options.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    headers
}

/// Turns the headers of a POST into those of a request without a body.
pub(super) fn without_body(mut headers: HeaderMap, accept: Option<HeaderValue>) -> HeaderMap {
    headers.remove(header::CONTENT_TYPE);
    match accept {
        Some(accept) => drop(headers.insert(header::ACCEPT, accept)),
        None => drop(headers.remove(header::ACCEPT)),
    }
    headers
}

/// Returns the revision of a modern message; `None` for a legacy one.
///
/// The message's own `_meta` decides, or, without a version there, the revision from the call's context.
pub(super) fn modern_version(message: &Message, revision: Option<Revision>) -> Option<HeaderValue> {
    if let Some(version) = message.meta_version() {
        let value = HeaderValue::from_str(&version);
        // A version that can't be sent in a header is left out, and the upstream refuses the message.
        return Some(value.unwrap_or_else(|_| HeaderValue::from_static("")));
    }
    let revision = revision.filter(|revision| revision.is_modern())?;
    Some(HeaderValue::from_static(revision.as_str()))
}

/// Adds the headers that mirror a modern message: its revision, method and name.
///
/// Values that can't be sent in a header are left out: the upstream then refuses the message, and says why.
pub(super) fn mirror(headers: &mut HeaderMap, message: &Message, version: &HeaderValue) {
    if !version.is_empty() {
        headers.insert(MCP_PROTOCOL_VERSION.clone(), version.clone());
    }
    let Some(method) = message.method() else { return };
    let added = match mirror::name_member(&method) {
        Some("taskId") => {
            let task = message.params().and_then(|params| serde_json::from_slice::<Task>(params).ok());
            mirror::add_headers(headers, &method, task.as_ref().map(|task| task.task_id.as_str()))
        }
        Some(_) => mirror::add_headers(headers, &method, message.name().as_deref()),
        None => mirror::add_headers(headers, &method, None),
    };
    if let Err(error) = added {
        tracing::debug!(%error, "a message can't be mirrored in its headers");
    }
}

/// Adds a call's trace context, if known: intermediaries on the way to the server only read headers.
pub(super) fn trace(headers: &mut HeaderMap, trace: Option<&TraceContext>) {
    let Some(trace) = trace else { return };
    if let Ok(parent) = HeaderValue::from_bytes(&trace.to_traceparent()) {
        headers.insert(HeaderName::from_static("traceparent"), parent);
    }
    if let Some(state) = trace.state().and_then(|state| HeaderValue::from_str(state).ok()) {
        headers.insert(HeaderName::from_static("tracestate"), state);
    }
}

#[derive(Deserialize)]
struct Task {
    #[serde(rename = "taskId")]
    task_id: String,
}

/// Whether a body is a readable event stream.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    BodyKind::of(headers) == BodyKind::EventStream && content_encoding::coding(headers).is_none()
}

/// Whether a body is declared as plain text, or not at all.
pub(super) fn may_be_plain_text(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("text/plain")
}

/// Whether a body is declared as JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    BodyKind::of(headers) == BodyKind::Json
}

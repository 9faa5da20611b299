//! Routes a request by its head.

use std::sync::Arc;

use crossway_proto::http_rules::names::MCP_PROTOCOL_VERSION;
use crossway_proto::http_rules::version::{self, BodyVersion};
use crossway_proto::http_rules::{CorsOrigin, Refusal, accept, session as session_rules};
use crossway_proto::{ErrorCode, Revision};
use crossway_service::{Call, RequestLimiter, SessionOwner, extension_of};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};

use super::endpoint::Endpoint;
use super::events::EventStream;
use super::post::Post;
use super::session::{EventId, Session, SessionId, StreamKind};
use super::{Body, answer};

/// The decision on a request after its head.
pub(crate) enum Routed {
    /// A POST, which needs its body.
    Post(Post),
    /// The request is answered already.
    Answered(Response<Body>),
}

/// The revisions that open with `initialize`.
pub(crate) const LEGACY: &[Revision] =
    &[Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

/// The revisions without sessions.
pub(crate) const MODERN: &[Revision] = &[Revision::V2026_07_28];

/// The allowed methods.
const METHODS: &str = "GET, POST, DELETE";

/// Routes a request, and determines which page may read the answer.
pub(crate) fn route(endpoint: &Arc<Endpoint>, parts: Parts) -> (Routed, CorsOrigin) {
    if let Err(refusal) = check(endpoint, &parts) {
        return (Routed::Answered(answer::refusal(&refusal, None)), CorsOrigin::default());
    }
    let page = CorsOrigin::allowed(&parts.headers);
    let routed = match page.preflight(&parts.method, &parts.headers, METHODS) {
        Some(told) => Routed::Answered(answer::preflight(told)),
        None => by_method(endpoint, parts),
    };
    (routed, page)
}

/// Routes a request that passed the checks.
fn by_method(endpoint: &Arc<Endpoint>, parts: Parts) -> Routed {
    let answered = match parts.method {
        Method::POST => match Post::new(endpoint, parts) {
            Ok(post) => return Routed::Post(post),
            Err(refusal) => Err(refusal),
        },
        // "HTTP GET or DELETE to the MCP endpoint: respond with `405 Method Not Allowed`" (2026-07-28,
        // basic/transports/streamable-http, Earlier Streamable HTTP Revisions).
        Method::GET | Method::DELETE
            if endpoint.is_modern_only || said_version(&parts.headers).is_some_and(Revision::is_modern) =>
        {
            Ok(answer::not_allowed("POST", "revisions from 2026-07-28 on have POST only"))
        }
        Method::GET => match RequestLimiter::admit_if_any(extension_of(&parts.extensions)) {
            Ok(()) => listen(endpoint, parts),
            Err(error) => Ok(answer::too_many(&error, None)),
        },
        Method::DELETE => end(endpoint, &parts),
        _ => Ok(answer::not_allowed(METHODS, "the MCP endpoint takes POST, GET and DELETE only")),
    };
    Routed::Answered(answered.unwrap_or_else(|refusal| answer::refusal(&refusal, None)))
}

/// Checks the rules for every request, whatever its method.
fn check(endpoint: &Endpoint, parts: &Parts) -> Result<(), Refusal> {
    let bytes =
        parts.headers.iter().fold(0, |bytes, (name, value)| bytes + name.as_str().len() + value.len());
    if bytes > endpoint.limits.header_bytes {
        let why = format!("the headers have more than {} bytes", endpoint.limits.header_bytes);
        return Err(Refusal::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            ErrorCode::INVALID_REQUEST,
            why,
        ));
    }
    let host = endpoint.hosts.check(&parts.headers, &parts.uri)?;
    endpoint.origins.check(&parts.headers, &host)
}

/// The revision in the header, if it is a known one.
pub(crate) fn said_version(headers: &HeaderMap) -> Option<Revision> {
    headers.get(&MCP_PROTOCOL_VERSION).and_then(|version| Revision::parse(version.to_str().ok()?))
}

/// The session that a request belongs to; `None` if the request has no session id.
///
/// # Errors
///
/// 400 for an invalid id, 404 for an unknown session or another owner's.
pub(crate) fn find_session(endpoint: &Arc<Endpoint>, parts: &Parts) -> Result<Option<Arc<Session>>, Refusal> {
    let Some(id) = session_rules::session_id(&parts.headers)? else { return Ok(None) };
    if let Some(session) = find_by_id(endpoint, id, parts) {
        return Ok(Some(session));
    }
    let Some(handles) = &endpoint.handles else { return Err(session_rules::unknown()) };
    handles.find(endpoint, id, &parts.extensions).map(Some)
}

/// The session with a random id of this process.
fn find_by_id(endpoint: &Endpoint, id: &str, parts: &Parts) -> Option<Arc<Session>> {
    let owner = extension_of::<SessionOwner>(&parts.extensions);
    let session = endpoint.sessions.find(SessionId::parse(id.as_bytes())?)?;
    (session.owner.as_ref() == owner && !session.is_sealed()).then_some(session)
}

/// Checks the `MCP-Protocol-Version` header of a request in a session.
///
/// "If the server receives a request with an invalid or unsupported `MCP-Protocol-Version`, it **MUST** respond with
/// `400 Bad Request`" (2025-11-25, basic/transports, Protocol Version Header).
pub(crate) fn check_version(headers: &HeaderMap, session: &Session) -> Result<(), Refusal> {
    let mut said = headers.get_all(&MCP_PROTOCOL_VERSION).iter();
    match (said.next(), said.next()) {
        (None, _) => Ok(()),
        (Some(version), None) if session.speaks(version.as_bytes()) => Ok(()),
        _ => version::check(headers, BodyVersion { meta: None, is_request: false }, LEGACY).map(drop),
    }
}

/// GET: opens a stream for messages outside calls, or resumes a broken stream.
fn listen(endpoint: &Arc<Endpoint>, parts: Parts) -> Result<Response<Body>, Refusal> {
    let session = find_session(endpoint, &parts)?.ok_or_else(session_rules::missing)?;
    check_version(&parts.headers, &session)?;
    accept::check_get(&parts.headers)?;
    let last = match session_rules::last_event_id(&parts.headers)? {
        Some(id) => Some(EventId::parse(id.as_bytes()).ok_or_else(unknown_event)?),
        None => None,
    };
    if let Some(last @ EventId { kind: StreamKind::Call, .. }) = last {
        let (ticket, feed) = session.streams().take_up(last).ok_or_else(unknown_event)?;
        if let Some(feed) = feed {
            feed.let_go();
        }
        return Ok(answer::events(EventStream::resumed(session, ticket)));
    }
    if endpoint.stop.is_stopped() {
        return Err(draining());
    }
    let (ticket, is_new) = {
        let mut streams = session.streams();
        let (ticket, is_new) = match last.and_then(|last| streams.take_up(last)) {
            Some((ticket, _)) => (ticket, false),
            // A standing stream without kept events is replaced by a new one.
            None => (streams.open(StreamKind::Standing), true),
        };
        if !streams.seat(ticket, extension_of(&parts.extensions)) {
            return Err(too_many_streams());
        }
        (ticket, is_new)
    };
    let mut context = session.context();
    context.extensions = parts.extensions.into();
    let reply = session.link.call(Call::listen(context));
    Ok(answer::events(EventStream::standing(endpoint, session, ticket, is_new, reply)))
}

fn unknown_event() -> Refusal {
    let why = "the Last-Event-ID is not known, or what came after it is no longer kept; call again";
    Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, why)
}

/// DELETE: ends the session.
fn end(endpoint: &Endpoint, parts: &Parts) -> Result<Response<Body>, Refusal> {
    let id = session_rules::session_id(&parts.headers)?.ok_or_else(session_rules::missing)?;
    match (find_by_id(endpoint, id, parts), &endpoint.handles) {
        (Some(session), _) => {
            check_version(&parts.headers, &session)?;
            endpoint.sessions.end(&session);
        }
        (None, Some(handles)) => handles.end(endpoint, id, parts)?,
        (None, None) => return Err(session_rules::unknown()),
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The refusal of requests that would outlast a draining endpoint.
pub(crate) fn draining() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::OVER_LIMIT,
        "the bridge is shutting down; try again soon",
    )
}

/// The refusal of a new session when there are too many.
pub(crate) fn too_many_sessions() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::OVER_LIMIT,
        "there are too many sessions; end one, or try again soon",
    )
}

/// The refusal of a standing stream when its caller has no place left for it.
pub(crate) fn too_many_streams() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::OVER_LIMIT,
        "there are too many sessions and listening streams of yours; end one, or try again soon",
    )
}

/// The refusal of a session for which no id could be made.
pub(crate) fn no_randomness() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::OVER_LIMIT,
        "no session id could be made; try again soon",
    )
}

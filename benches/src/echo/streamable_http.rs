//! The echo server over Streamable HTTP: sessions for legacy clients, none for modern ones.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use smallvec::smallvec;
use tokio::sync::oneshot;

use super::body::{Answered, event};
use super::listener::{
    self, APPLICATION_JSON, EVENT_STREAM, SESSION_ID, credential_in, refuse, respond, respond_empty,
};
use super::rpc::{self, Answer, Message, Verdict};
use super::sessions::Sessions;
use crate::body::{ReadError, Slices, read_whole};
use crate::limits::MAX_MESSAGE;
use crate::revision::Revision;
use crate::scan::string_content;

/// The state of the face: the open GET streams of each session.
#[derive(Debug)]
pub(crate) struct Face {
    sessions: Sessions<Vec<oneshot::Sender<()>>>,
    sse_answers: bool,
}

impl Face {
    /// A face without sessions yet.
    pub(crate) fn new(sse_answers: bool) -> Self {
        Self { sessions: Sessions::default(), sse_answers }
    }
}

impl listener::Face for Face {
    async fn answer(&self, request: Request<Incoming>) -> Response<Answered> {
        if request.uri().path() != "/mcp" {
            return refuse(StatusCode::NOT_FOUND, "the MCP endpoint is at /mcp");
        }
        match *request.method() {
            Method::POST => self.post(request).await,
            Method::GET => self.open_stream(request.headers()),
            Method::DELETE => self.end_session(request.headers()),
            _ => listener::refuse_verb("GET, POST, DELETE"),
        }
    }
}

impl Face {
    async fn post(&self, request: Request<Incoming>) -> Response<Answered> {
        let (head, body) = request.into_parts();
        let text = match read_whole(body, MAX_MESSAGE).await {
            Ok(text) => text,
            Err(error @ ReadError::TooLong { .. }) => {
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string());
            }
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let Ok(mut message) = Message::read(&text) else {
            return refuse(StatusCode::BAD_REQUEST, "the body is not a JSON object");
        };
        message.credential = credential_in(&head.headers);
        if is_modern(&head.headers, message) {
            return self.post_modern(&head.headers, &text, message);
        }
        let mut session = None;
        if message.method == Some(b"initialize") {
            session = HeaderValue::try_from(self.sessions.begin(Vec::new())).ok();
        } else if let Some(refusal) = self.refuse_session(&head.headers) {
            return refusal;
        }
        let Some(answer) = rpc::answer(&text, message) else { return respond_empty(StatusCode::ACCEPTED) };
        let mut response = self.give(answer, StatusCode::OK);
        if let Some(id) = session {
            response.headers_mut().insert(SESSION_ID, id);
        }
        response
    }

    fn post_modern(&self, headers: &HeaderMap, text: &Bytes, message: Message<'_>) -> Response<Answered> {
        // HTTP does not define what a notification must carry.
        let Some(id) = message.id else { return respond_empty(StatusCode::ACCEPTED) };
        if let Err(why) = check_headers(headers, message) {
            let refusal = rpc::error(id, -32020, why, "");
            return self.give(refusal, StatusCode::BAD_REQUEST);
        }
        let Some(answer) = rpc::answer(text, message) else { return respond_empty(StatusCode::ACCEPTED) };
        let status = match answer.verdict {
            Verdict::Answered => StatusCode::OK,
            Verdict::UnknownMethod => StatusCode::NOT_FOUND,
            Verdict::UnknownRevision => StatusCode::BAD_REQUEST,
        };
        self.give(answer, status)
    }

    /// Responds with JSON, or with an event stream where something precedes the response.
    fn give(&self, answer: Answer, status: StatusCode) -> Response<Answered> {
        let streamed = status == StatusCode::OK && (self.sse_answers || !answer.interim.is_empty());
        if !streamed {
            return respond(status, APPLICATION_JSON, Answered::Whole(answer.last.into()));
        }
        let single = |text| -> Slices { smallvec![text] };
        let events = answer.interim.into_iter().map(|text| event(&single(text)));
        let events = events.chain([event(&answer.last)]).collect();
        respond(status, EVENT_STREAM, Answered::Events(events))
    }

    fn open_stream(&self, headers: &HeaderMap) -> Response<Answered> {
        if let Some(refusal) = self.refuse_session(headers) {
            return refusal;
        }
        let (sender, receiver) = oneshot::channel();
        let kept = self.sessions.with(session_id(headers), |streams| {
            streams.retain(|stream| !stream.is_closed());
            streams.push(sender);
        });
        match kept {
            Some(()) => respond(StatusCode::OK, EVENT_STREAM, Answered::Silent(receiver)),
            None => refuse(StatusCode::NOT_FOUND, "there is no such session"),
        }
    }

    fn end_session(&self, headers: &HeaderMap) -> Response<Answered> {
        if let Some(refusal) = self.refuse_session(headers) {
            return refusal;
        }
        self.sessions.end(session_id(headers));
        respond_empty(StatusCode::OK)
    }

    /// The refusal of a request whose session is missing or unknown.
    fn refuse_session(&self, headers: &HeaderMap) -> Option<Response<Answered>> {
        let id = session_id(headers);
        if id.is_empty() {
            return Some(refuse(StatusCode::BAD_REQUEST, "the header Mcp-Session-Id is missing"));
        }
        let known = self.sessions.with(id, |_| ()).is_some();
        (!known).then(|| refuse(StatusCode::NOT_FOUND, "there is no such session"))
    }
}

fn session_id(headers: &HeaderMap) -> &str {
    header(headers, "mcp-session-id")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a request's header or body says that it is modern.
fn is_modern(headers: &HeaderMap, message: Message<'_>) -> bool {
    header(headers, "mcp-protocol-version") == Revision::V2026_07_28.as_str()
        && message.method != Some(b"initialize")
        || message.meta_version().is_some()
}

/// Checks that header and body agree (2026-07-28, basic/transports/streamable-http).
///
/// Names are compared as they are: nothing here needs the base64 form.
fn check_headers(headers: &HeaderMap, message: Message<'_>) -> Result<(), &'static str> {
    if message.meta_version() != Some(header(headers, "mcp-protocol-version").as_bytes()) {
        return Err("the header MCP-Protocol-Version does not match the body");
    }
    if message.method != Some(header(headers, "mcp-method").as_bytes()) {
        return Err("the header Mcp-Method does not match the body");
    }
    if message.method == Some(b"tools/call") {
        let name = message.param("name").and_then(string_content);
        if name != Some(header(headers, "mcp-name").as_bytes()) {
            return Err("the header Mcp-Name does not match the body");
        }
    }
    Ok(())
}

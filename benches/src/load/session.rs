//! A session with the server, over any transport.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt as _;
use smallvec::smallvec;
use tokio::task::AbortHandle;

use super::address::Address;
use super::check::{Fault, check_response};
use super::client::{Client, accepted, read_acceptance, read_answer};
use super::openapi_client::{OpenApiSession, OpenApiSlot};
use super::sse_client::{SseSession, SseSlot};
use super::stdio_client::{StdioSession, StdioSlot};
use super::template::{first_method, first_request, initialized};
use super::work::{Target, Work};
use crate::body::Slices;
use crate::revision::Revision;
use crate::scan::{member, string_content};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JSON_OR_STREAM: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// The id of the first request; calls count on from here.
pub(crate) const FIRST_ID: u64 = 1;

/// A session that is set up.
#[derive(Debug)]
pub(crate) enum Session {
    /// Over Streamable HTTP.
    Http(HttpSession),
    /// Over HTTP+SSE.
    Sse(SseSession),
    /// With a child process.
    Stdio(StdioSession),
    /// With an OpenAPI server, which has no sessions.
    OpenApi(OpenApiSession),
}

/// A slot for one call in flight.
#[derive(Debug)]
pub(crate) enum Slot {
    /// A connection of its own.
    Http(HttpSlot),
    /// A connection for its messages; the answers come over the session's stream.
    Sse(SseSlot),
    /// The session's pipes.
    Stdio(StdioSlot),
    /// A connection of its own.
    OpenApi(OpenApiSlot),
}

impl Session {
    /// Sets up a session, including its handshake. `control` is the connection for that, where the transport has one; it is opened if there
    /// is none.
    pub(crate) async fn open(work: &Work, control: &mut Option<Client>) -> Result<Self, Fault> {
        let opened = async {
            match &work.target {
                Target::StreamableHttp(address) => {
                    let control = control.get_or_insert_with(|| Client::new(address));
                    HttpSession::open(work, address, control).await.map(Self::Http)
                }
                Target::HttpSse(address) => {
                    let session = Self::Sse(SseSession::open(work, address).await?);
                    session.shake_hands(work, control).await?;
                    Ok(session)
                }
                Target::OpenApi(address) => OpenApiSession::new(work, address).map(Self::OpenApi),
                Target::Stdio(command) => {
                    let session = Self::Stdio(StdioSession::open(work, command)?);
                    session.shake_hands(work, control).await?;
                    Ok(session)
                }
            }
        };
        match tokio::time::timeout(work.timeout, opened).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Lost(format!("no session after {} s", work.timeout.as_secs_f32()))),
        }
    }

    /// The handshake on transports where all messages take the same way.
    async fn shake_hands(&self, work: &Work, control: &mut Option<Client>) -> Result<(), Fault> {
        let mut slot = self.slot(control.take());
        let answer =
            slot.call(FIRST_ID, smallvec![first_request(work.revision, FIRST_ID)], work.timeout).await?;
        check_response(&answer, FIRST_ID)?;
        if !work.revision.is_modern() {
            slot.notify(initialized()).await?;
        }
        *control = slot.into_client();
        Ok(())
    }

    /// A slot for calls, over `client` where the transport has connections.
    pub(crate) fn slot(&self, client: Option<Client>) -> Slot {
        match self {
            Self::Http(session) => Slot::Http(session.slot(client)),
            Self::Sse(session) => Slot::Sse(session.slot(client)),
            Self::Stdio(session) => Slot::Stdio(session.slot()),
            Self::OpenApi(session) => Slot::OpenApi(session.slot(client)),
        }
    }

    /// The number of answers that no call expected.
    pub(crate) fn strays(&self) -> u64 {
        match self {
            Self::Http(_) | Self::OpenApi(_) => 0,
            Self::Sse(session) => session.strays(),
            Self::Stdio(session) => session.strays(),
        }
    }

    /// The process of the session, if it has its own.
    pub(crate) fn pid(&self) -> Option<u32> {
        if let Self::Stdio(session) = self { session.pid() } else { None }
    }

    /// Ends the session as its transport requires: with DELETE, by closing the stream, or by closing stdin.
    pub(crate) async fn close(self, work: &Work, control: &mut Option<Client>) -> Result<(), Fault> {
        let close = async {
            match self {
                Self::Http(session) => session.close(control).await,
                Self::Sse(_) | Self::OpenApi(_) => Ok(()),
                Self::Stdio(session) => session.close().await,
            }
        };
        let lost = || Fault::Lost("the session did not end in time".to_owned());
        tokio::time::timeout(work.timeout, close).await.map_err(|_| lost())?
    }
}

impl Slot {
    /// Makes one call and returns the text of its answer.
    pub(crate) async fn call(&mut self, id: u64, request: Slices, timeout: Duration) -> Result<Bytes, Fault> {
        let call = async {
            match self {
                Self::Http(slot) => slot.call(id, request).await,
                Self::Sse(slot) => slot.call(id, request).await,
                Self::Stdio(slot) => slot.call(id, request).await,
                Self::OpenApi(slot) => slot.call(id, request).await,
            }
        };
        let result = match tokio::time::timeout(timeout, call).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Lost(format!("no answer within {} s", timeout.as_secs_f32()))),
        };
        if result.is_err() {
            match self {
                Self::Http(slot) => slot.client.disconnect(),
                Self::Sse(slot) => slot.give_up(id),
                Self::Stdio(slot) => slot.give_up(id),
                Self::OpenApi(slot) => slot.disconnect(),
            }
        }
        result
    }

    /// Sends a message without an answer.
    async fn notify(&mut self, message: Bytes) -> Result<(), Fault> {
        match self {
            Self::Http(slot) => slot.notify(message).await,
            Self::Sse(slot) => slot.post(smallvec![message]).await,
            Self::Stdio(slot) => slot.send(&smallvec![message]).await,
            Self::OpenApi(_) => Ok(()),
        }
    }

    /// Returns the connection, for reuse.
    pub(crate) fn into_client(self) -> Option<Client> {
        match self {
            Self::Http(slot) => Some(slot.client),
            Self::Sse(slot) => Some(slot.into_client()),
            Self::OpenApi(slot) => Some(slot.into_client()),
            Self::Stdio(_) => None,
        }
    }
}

/// A session over Streamable HTTP.
#[derive(Debug)]
pub(crate) struct HttpSession {
    address: Address,
    headers: Arc<HeaderMap>,
    has_id: bool,
    stream: Option<AbortHandle>,
}

/// A slot for one call over Streamable HTTP.
#[derive(Debug)]
pub(crate) struct HttpSlot {
    client: Client,
    address: Address,
    headers: Arc<HeaderMap>,
}

impl HttpSession {
    async fn open(work: &Work, address: &Address, control: &mut Client) -> Result<Self, Fault> {
        let mut headers = HeaderMap::with_capacity(8 + work.headers.len());
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON_OR_STREAM);
        headers.extend(work.headers.iter().cloned());
        if work.revision.is_modern() {
            headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(work.revision.as_str()));
            headers.insert(METHOD, HeaderValue::from_static(first_method(work.revision)));
        }
        let first = smallvec![first_request(work.revision, FIRST_ID)];
        let response = control.send(Method::POST, address.path(), headers.clone(), first).await?;
        let id = response.headers().get(SESSION_ID).cloned();
        let answer = read_answer(response, FIRST_ID).await?;
        let result = check_response(&answer, FIRST_ID)?;
        if work.revision.is_modern() {
            headers.insert(METHOD, HeaderValue::from_static("tools/call"));
            let name = HeaderValue::try_from(&work.tool);
            headers.insert(NAME, name.map_err(|error| Fault::failed("the tool's name", &error))?);
        } else {
            headers.extend(revision_header(result));
            headers.extend(id.clone().map(|id| (SESSION_ID, id)));
        }
        let mut session = Self {
            address: address.clone(),
            headers: Arc::new(headers),
            has_id: id.is_some() && !work.revision.is_modern(),
            stream: None,
        };
        if !work.revision.is_modern() {
            let headers = session.headers.as_ref().clone();
            let notified =
                control.send(Method::POST, address.path(), headers, smallvec![initialized()]).await?;
            read_acceptance(notified).await?;
            if work.with_get_stream {
                session.stream = Some(session.open_stream().await?);
            }
        }
        Ok(session)
    }

    /// Opens the GET stream and reads it until the session ends.
    async fn open_stream(&self) -> Result<AbortHandle, Fault> {
        let mut headers = self.headers.as_ref().clone();
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, STREAM);
        let mut client = Client::new(&self.address);
        let response = client.send(Method::GET, self.address.path(), headers, Slices::new()).await?;
        let mut stream = accepted(response).await?.into_body();
        let read = async move {
            // The connection lives as long as its client.
            let _client = client;
            while let Some(Ok(_)) = stream.frame().await {}
        };
        Ok(tokio::spawn(read).abort_handle())
    }

    fn slot(&self, client: Option<Client>) -> HttpSlot {
        let client = client.unwrap_or_else(|| Client::new(&self.address));
        HttpSlot { client, address: self.address.clone(), headers: self.headers.clone() }
    }

    async fn close(self, control: &mut Option<Client>) -> Result<(), Fault> {
        if !self.has_id {
            return Ok(());
        }
        let control = control.get_or_insert_with(|| Client::new(&self.address));
        let headers = self.headers.as_ref().clone();
        let response = control.send(Method::DELETE, self.address.path(), headers, Slices::new()).await?;
        // A server may refuse to end sessions (2025-11-25, transports, session management).
        if response.status() == http::StatusCode::METHOD_NOT_ALLOWED {
            control.disconnect();
            return Ok(());
        }
        read_acceptance(response).await
    }
}

impl Drop for HttpSession {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            stream.abort();
        }
    }
}

impl HttpSlot {
    async fn call(&mut self, id: u64, request: Slices) -> Result<Bytes, Fault> {
        let headers = self.headers.as_ref().clone();
        let response = self.client.send(Method::POST, self.address.path(), headers, request).await?;
        read_answer(response, id).await
    }

    async fn notify(&mut self, message: Bytes) -> Result<(), Fault> {
        let headers = self.headers.as_ref().clone();
        let response =
            self.client.send(Method::POST, self.address.path(), headers, smallvec![message]).await?;
        read_acceptance(response).await
    }
}

/// The header with the negotiated revision; older revisions have none.
fn revision_header(result: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let agreed = member(result, "protocolVersion").and_then(string_content)?;
    let before_header = [Revision::V2024_11_05, Revision::V2025_03_26];
    if before_header.iter().any(|revision| revision.as_str().as_bytes() == agreed) {
        return None;
    }
    Some((PROTOCOL_VERSION, HeaderValue::from_bytes(agreed).ok()?))
}

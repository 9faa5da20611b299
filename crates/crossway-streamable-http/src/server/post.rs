//! Routes a POST by its body.

use std::sync::Arc;

use bytes::Bytes;
use crossway_proto::http_rules::version::{self, BodyVersion};
use crossway_proto::http_rules::{Refusal, accept, content_type, session as session_rules};
use crossway_proto::{ErrorCode, Incoming, Message, ParseError, RequestId, Revision};
use crossway_service::{Call, CallError, Context, Reply, RequestLimiter, Scope, SessionOwner, extension_of};
use http::StatusCode;
use http::request::Parts;

use super::control::StreamControl;
use super::endpoint::Endpoint;
use super::exchange::{Asked, Caller, Exchange, RequestKind};
use super::head::{
    MODERN, check_version, draining, find_session, no_randomness, said_version, too_many_sessions,
};
use super::session::{Handles, Session, SessionId};
use super::{batch, modern};

/// A POST whose head has been checked.
pub(crate) struct Post {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) parts: Parts,
    session: Option<Arc<Session>>,
}

/// The reason why a POST is not passed on, and the id of its request.
pub(crate) struct Refused {
    pub(crate) why: Why,
    pub(crate) id: Option<RequestId>,
}

pub(crate) enum Why {
    Refusal(Refusal),
    /// The caller's limit of requests is exceeded.
    TooMany(CallError),
}

impl From<Refusal> for Box<Refused> {
    fn from(refusal: Refusal) -> Self {
        Box::new(Refused { why: Why::Refusal(refusal), id: None })
    }
}

impl Post {
    /// Checks the head.
    ///
    /// # Errors
    ///
    /// 404, 406 or 415; 400 for an invalid session id.
    pub(crate) fn new(endpoint: &Arc<Endpoint>, parts: Parts) -> Result<Self, Refusal> {
        accept::check_post(&parts.headers)?;
        content_type::check_post(&parts.headers)?;
        // "An `Mcp-Session-Id` header on a request: ignore it" (2026-07-28, basic/transports/streamable-http).
        let is_modern = said_version(&parts.headers).is_some_and(Revision::is_modern);
        let session = if is_modern { None } else { find_session(endpoint, &parts)? };
        Ok(Self { endpoint: Arc::clone(endpoint), parts, session })
    }

    /// Passes the body on to its session, or to the upstream.
    ///
    /// # Errors
    ///
    /// When the body is not a message, or not one that is allowed here.
    pub(crate) fn open(mut self, body: Bytes) -> Result<Exchange, Box<Refused>> {
        match Incoming::parse(body, &self.endpoint.limits.message) {
            Ok(Incoming::One(message)) => {
                let id = message.request_id();
                self.open_one(message).map_err(|mut refused| {
                    refused.id = id;
                    refused
                })
            }
            Ok(Incoming::Batch(messages)) => Ok(self.open_batch(messages)?),
            Err(error) => Err(not_a_message(&error).into()),
        }
    }

    fn open_one(&mut self, message: Message) -> Result<Exchange, Box<Refused>> {
        let admitted = if message.is_request() {
            RequestLimiter::admit_if_any(extension_of(&self.parts.extensions))
        } else {
            Ok(())
        };
        let meta = if message.is_response() { None } else { message.meta_version() };
        if meta.is_none()
            && let Some(session) = self.session.take()
        {
            check_version(&self.parts.headers, &session)?;
            return Ok(self.open_in(session, message, admitted));
        }
        admitted.map_err(|error| Box::new(Refused { why: Why::TooMany(error), id: None }))?;
        let supported = if meta.is_some() { MODERN } else { &Revision::ALL };
        let said = BodyVersion { meta: meta.as_deref(), is_request: message.is_request() };
        match version::check(&self.parts.headers, said, supported)? {
            Some(revision) if revision.is_modern() => {
                drop(meta);
                Ok(modern::open(self, message, revision)?)
            }
            _ if message.is_request() && message.is_method("initialize") => {
                drop(meta);
                Ok(self.open_session(message)?)
            }
            _ => Err(session_rules::missing().into()),
        }
    }

    /// A request over the limit fails like a call that its upstream has refused: the session continues.
    fn open_in(
        &mut self,
        session: Arc<Session>,
        message: Message,
        admitted: Result<(), CallError>,
    ) -> Exchange {
        let asked = match message.request_id() {
            Some(id) => Asked::request(id, RequestKind::Plain),
            None => Asked::Nothing,
        };
        let mut context = session.context();
        let control = self.equip(&mut context);
        let reply = match admitted {
            Ok(()) => session.link.call(Call::message(message, context)),
            Err(error) => Reply::failed(error),
        };
        Exchange::new(Arc::clone(&self.endpoint), Caller::Session(session), asked, control, reply)
    }

    /// Adds the extensions of its request to a call.
    fn equip(&mut self, context: &mut Context) -> Option<StreamControl> {
        context.extensions = std::mem::take(&mut self.parts.extensions).into();
        let control = self.endpoint.stream_control.then(StreamControl::new);
        if let Some(control) = &control {
            context.extensions.insert(control.clone());
        }
        control
    }

    fn open_session(&mut self, initialize: Message) -> Result<Exchange, Refusal> {
        if self.endpoint.stop.is_stopped() {
            return Err(draining());
        }
        let Some(slot) = self.endpoint.sessions.reserve(extension_of(&self.parts.extensions)) else {
            return Err(too_many_sessions());
        };
        let id = SessionId::random().map_err(|_| no_randomness())?;
        self.endpoint.sessions.keep_swept();
        let link = self.endpoint.upstream.connect(Scope::Session);
        let owner = extension_of::<SessionOwner>(&self.parts.extensions).cloned();
        let session = Arc::new(Session::new(id, link, owner, slot));
        let asked = initialize.id().map_or(Asked::Nothing, |id| Asked::request(id, RequestKind::Plain));
        let params = self.endpoint.handles.is_some().then(|| Handles::params_of(&initialize)).flatten();
        let mut context = session.context();
        let control = self.equip(&mut context);
        let reply = session.link.call(Call::message(initialize, context));
        let caller = Caller::Opening { session, is_announced: false, params };
        Ok(Exchange::new(Arc::clone(&self.endpoint), caller, asked, control, reply))
    }

    /// "An array batching one or more _requests and/or notifications_", or responses (2025-03-26, basic/transports).
    fn open_batch(&mut self, messages: Vec<Message>) -> Result<Exchange, Refusal> {
        let bad = |why| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, why);
        let Some(session) = self.session.take() else {
            return Err(bad("batches are for sessions of revision 2025-03-26; send each message by itself"));
        };
        check_version(&self.parts.headers, &session)?;
        if !session.allows_batches() {
            return Err(bad("the session's revision has no batches; send each message by itself"));
        }
        // "The `initialize` request **MUST NOT** be part of a JSON-RPC batch" (2025-03-26, basic/lifecycle).
        if messages.iter().any(|message| message.is_method("initialize")) {
            return Err(bad("initialize must not be part of a batch"));
        }
        let mut context = session.context();
        let control = self.equip(&mut context);
        let asked = match messages.iter().filter(|message| message.is_request()).count() {
            0 => Asked::Nothing,
            requests => Asked::Batch(requests),
        };
        let reply = batch::call(&session.link, messages, &context);
        Ok(Exchange::new(Arc::clone(&self.endpoint), Caller::Session(session), asked, control, reply))
    }
}

fn not_a_message(error: &ParseError) -> Refusal {
    let status = match error {
        ParseError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Refusal::new(status, error.code(), error.to_string())
}

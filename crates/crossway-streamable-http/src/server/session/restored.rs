//! A session of another process, restored on a link of this one.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use crossway_proto::{Kind, Message, RequestId, Revision};
use crossway_service::{
    Call, CallError, Closing, Connection, Context, Link, Origin, Reason, Reply, Scope, SessionOwner,
    SessionState,
};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::Extensions;

use super::handles::seconds;
use super::{Negotiated, Session, SessionId, Slot};
use crate::server::endpoint::Endpoint;

/// The id of the `initialize` that is sent again. Nobody else gets its answer.
const INITIALIZE: &str = "crossway-session";

/// The link of a session that is being restored: all calls wait for the same handshake.
struct RestoredConnection(Shared<BoxFuture<'static, Result<Link, CallError>>>);

/// The input of the handshake.
struct Handshake {
    endpoint: Weak<Endpoint>,
    id: SessionId,
    params: Bytes,
    agreed: Option<Revision>,
    context: Context,
}

impl Session {
    /// Creates a session from its handle. Its handshake waits for the first call.
    pub(super) fn restored(
        endpoint: &Arc<Endpoint>,
        state: SessionState,
        owner: Option<SessionOwner>,
        slot: Slot,
        extensions: Extensions,
    ) -> Self {
        let (origin, id) = (Origin::unique(), SessionId::from_number(state.number));
        let mut context = Context::new(origin, state.revision);
        context.extensions = extensions.into();
        let handshake = Handshake {
            endpoint: Arc::downgrade(endpoint),
            id,
            params: state.initialize,
            agreed: state.revision,
            context,
        };
        let link = Link::new(RestoredConnection(handshake.run().boxed().shared()));
        let this = Self::of_origin(origin, id, link, owner, slot);
        this.sealed_until.store(seconds(state.expires).max(1), std::sync::atomic::Ordering::Relaxed);
        if let Some(revision) = state.revision {
            let _ = this.negotiated.set(Negotiated { revision: Some(revision), unknown: None });
        }
        this
    }
}

impl Connection for RestoredConnection {
    fn call(&self, call: Call) -> Reply {
        // The handshake has sent it already.
        let is_told = matches!(&call.ask, crossway_service::Ask::Message(message)
            if message.kind() == Kind::Notification && message.is_method("notifications/initialized"));
        match self.0.peek() {
            Some(Ok(_)) if is_told => Reply::accepted(),
            Some(Ok(link)) => link.call(call),
            Some(Err(error)) => Reply::failed(error.clone()),
            None => {
                let handshake = self.0.clone();
                Reply::pending(async move {
                    match handshake.await {
                        Ok(_) if is_told => Reply::accepted(),
                        Ok(link) => link.call(call),
                        Err(error) => Reply::failed(error),
                    }
                })
            }
        }
    }

    fn close(&self) -> Closing {
        match self.0.peek() {
            Some(Ok(link)) => link.close(),
            _ => Box::pin(std::future::ready(())),
        }
    }
}

impl Handshake {
    /// Returns the link, once the server has agreed to the same revision as before. If this fails, waiting calls were not sent.
    async fn run(self) -> Result<Link, CallError> {
        let closing = || CallError::not_sent(Reason::Closing);
        let link = self.endpoint.upgrade().ok_or_else(closing)?.upstream.connect(Scope::Session);
        let answer = self.initialize(&link).await;
        let endpoint = self.endpoint.upgrade().ok_or_else(closing)?;
        let session = endpoint.sessions.find(self.id);
        match answer {
            Ok(answer) => match session {
                Some(session) => {
                    session.negotiate(&answer);
                    Ok(link)
                }
                // The session was ended meanwhile, when there was no link to close.
                None => {
                    endpoint.sessions.close(&link);
                    Err(CallError::not_sent(Reason::SessionEnded))
                }
            },
            Err(reason) => {
                match session {
                    // The session can't be restored: its client has to begin a new one.
                    Some(session) if reason == Reason::SessionEnded => endpoint.end_session(&session),
                    // The next request tries again.
                    Some(session) => endpoint.sessions.end(&session),
                    None => {}
                }
                Err(CallError::not_sent(reason))
            }
        }
    }

    async fn initialize(&self, link: &Link) -> Result<Message, Reason> {
        let request = Message::request_of(&RequestId::from(INITIALIZE), "initialize", Some(&self.params));
        let request = request.map_err(|_| Reason::SessionEnded)?;
        let mut reply = link.call(Call::message(request, self.context.clone()));
        let answer = loop {
            match reply.next().await {
                Some(Ok(message)) if message.is_response() => break message,
                Some(Ok(message)) if message.is_request() => self.answer(link, &message).await,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.reason().clone()),
                None => return Err(Reason::SessionEnded),
            }
        };
        if answer.kind() != Kind::Result || !self.is_agreed(&answer) {
            return Err(Reason::SessionEnded);
        }
        self.notify(link, Message::notification_of("notifications/initialized", None)).await;
        Ok(answer)
    }

    fn is_agreed(&self, answer: &Message) -> bool {
        let version = answer.initialize_version();
        let revision = version.as_deref().and_then(Revision::parse);
        let revision = revision.map(|revision| revision.min(Revision::LATEST_LEGACY));
        self.agreed.is_none_or(|agreed| revision == Some(agreed))
    }

    /// Answers a ping and refuses other requests: nobody is there to answer. "The server **SHOULD NOT** send requests other than pings and
    /// logging before receiving the `initialized` notification" (2025-11-25, basic/lifecycle, Initialization).
    async fn answer(&self, link: &Link, request: &Message) {
        let answer = match request.id().filter(|_| request.is_method("ping")) {
            Some(id) => Message::result_of(&id, b"{}"),
            None => {
                let reason = Reason::Unavailable("the session is being made anew".into());
                Ok(CallError::not_sent(reason).to_message(request.id().as_ref()))
            }
        };
        self.notify(link, answer).await;
    }

    async fn notify(&self, link: &Link, message: Result<Message, crossway_proto::ParseError>) {
        let Ok(message) = message else { return };
        link.call(Call::message(message, self.context.clone())).drain().await;
    }
}

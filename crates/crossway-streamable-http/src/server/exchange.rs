//! One POST that waits for its reply.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{Call, CallError, Link, Reason, Reply, SessionOwner};
use futures_core::Stream;

use super::control::StreamControl;
use super::endpoint::Endpoint;
use super::session::{Session, Ticket, detach};

/// A POST that was handed on, until its last response is out.
pub(crate) struct Exchange {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) caller: Caller,
    pub(crate) asked: Asked,
    pub(crate) control: Option<StreamControl>,
    /// The stream that the response is, once it is one, of a session.
    pub(crate) ticket: Option<Ticket>,
    reply: Reply,
    is_over: bool,
}

/// A POST whose response is a stream, held so that whoever takes that up can take this out, though the old connection holds it still.
pub(crate) struct Exchanging(Mutex<Option<Exchange>>);

impl Exchanging {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self(Mutex::new(Some(exchange)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Exchange>> {
        // It is whole between two steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the call go on without the stream that it was made on.
    pub(crate) fn let_go(&self) {
        let exchange = self.lock().take();
        drop(exchange);
    }
}

/// Who asks.
pub(crate) enum Caller {
    /// A client in its session.
    Session(Arc<Session>),
    /// A client that asks for a session.
    Opening {
        /// The session that it gets if the upstream agrees.
        session: Arc<Session>,
        /// Whether it has been told the id already.
        is_announced: bool,
        /// The `params` of its `initialize`, if a handle may be made of them.
        params: Option<Box<Bytes>>,
    },
    /// A client without a session, over the link that all such share.
    Stateless(Link),
}

/// What is asked.
pub(crate) enum Asked {
    /// A single request.
    Request {
        /// Its id.
        id: RequestId,
        /// Whether it is still to be answered.
        is_due: bool,
        /// What has to be known of it.
        kind: RequestKind,
    },
    /// A batch with so many requests still to be answered.
    Batch(usize),
    /// Nothing that has an answer.
    Nothing,
}

/// What has to be known of a request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// Nothing.
    Plain,
    /// `subscriptions/listen`, which is answered when one side has enough of it.
    Subscription,
    /// `tools/list` of a stateless client: the answer tells this one which arguments are mirrored.
    ToolList(Option<SessionOwner>),
}

/// What comes next of an exchange.
pub(crate) enum Step {
    /// A message before the response.
    Interim(Message),
    /// A response.
    Response(Message),
    /// Instead of the response, a failure.
    Failed(CallError),
    /// Nothing more.
    Ended,
}

impl Asked {
    pub(crate) fn request(id: RequestId, kind: RequestKind) -> Self {
        Self::Request { id, is_due: true, kind }
    }

    /// How many responses are to come.
    pub(crate) fn due(&self) -> usize {
        match self {
            Self::Request { is_due, .. } => usize::from(*is_due),
            Self::Batch(due) => *due,
            Self::Nothing => 0,
        }
    }

    /// The id of the one request that failures answer.
    pub(crate) fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Request { id, .. } => Some(id),
            _ => None,
        }
    }

    pub(crate) fn is_subscription(&self) -> bool {
        matches!(self, Self::Request { kind: RequestKind::Subscription, .. })
    }

    fn answered(&mut self) {
        match self {
            Self::Request { is_due, .. } => *is_due = false,
            Self::Batch(due) => *due = due.saturating_sub(1),
            Self::Nothing => {}
        }
    }
}

impl Exchange {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        caller: Caller,
        asked: Asked,
        control: Option<StreamControl>,
        reply: Reply,
    ) -> Self {
        Self { endpoint, caller, asked, control, ticket: None, reply, is_over: false }
    }

    /// The client's session, if it is in one or gets one.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        match &self.caller {
            Caller::Session(session) | Caller::Opening { session, .. } => Some(session),
            Caller::Stateless(_) => None,
        }
    }

    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            let step = match ready!(Pin::new(&mut self.reply).poll_next(cx)) {
                Some(Ok(message)) if message.is_response() => {
                    self.asked.answered();
                    self.is_over = self.asked.due() == 0;
                    self.settle_opening(message.kind() == Kind::Result, &message);
                    if let Asked::Request { kind: RequestKind::ToolList(owner), .. } = &self.asked {
                        self.endpoint.tools.learn(owner.as_ref(), &message);
                    }
                    Step::Response(message)
                }
                Some(Ok(message)) if message.is_request() && self.refuse(&message) => continue,
                Some(Ok(message)) => Step::Interim(message),
                Some(Err(error)) => {
                    self.is_over = true;
                    self.fail(&error);
                    Step::Failed(error)
                }
                None => {
                    self.is_over = true;
                    self.end_opening();
                    Step::Ended
                }
            };
            return Poll::Ready(step);
        }
    }

    /// A session is open once the upstream has agreed, and not at all if it has not.
    fn settle_opening(&mut self, is_result: bool, answer: &Message) {
        let Caller::Opening { session, is_announced, .. } = &self.caller else { return };
        if !is_result {
            return self.end_opening();
        }
        session.negotiate(answer);
        if !is_announced {
            self.endpoint.sessions.insert(Arc::clone(session));
        }
        self.caller = Caller::Session(Arc::clone(session));
    }

    fn end_opening(&self) {
        if let Caller::Opening { session, .. } = &self.caller {
            self.endpoint.sessions.end(session);
        }
    }

    /// Makes the session known before the upstream has agreed, since its client may have to answer the upstream first.
    pub(crate) fn announce(&mut self) {
        if let Caller::Opening { session, is_announced, .. } = &mut self.caller {
            self.endpoint.sessions.insert(Arc::clone(session));
            *is_announced = true;
        }
    }

    fn fail(&self, error: &CallError) {
        match &self.caller {
            Caller::Session(session) if *error.reason() == Reason::SessionEnded => {
                self.endpoint.end_session(session);
            }
            _ => self.end_opening(),
        }
    }

    /// "The server **MUST NOT** send independent JSON-RPC _requests_ on this stream" (2026-07-28,
    /// basic/transports/streamable-http, Receiving Messages): an upstream that does is told so.
    fn refuse(&self, request: &Message) -> bool {
        let Caller::Stateless(link) = &self.caller else { return false };
        let reason = Reason::InvalidAnswer("servers must not send requests in this revision".into());
        let answer = CallError::not_sent(reason).to_message(request.id().as_ref());
        let mut handing_on = link.call(Call::message(answer, crossway_service::Context::default()));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { while handing_on.next().await.is_some() {} });
        }
        true
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Gives the call up or lets it go on alone, as the revision has it.
    fn leave(&mut self) {
        match &self.caller {
            Caller::Session(session) if !self.is_over => {
                let stream = self.ticket.map(|ticket| ticket.stream);
                let reply = std::mem::replace(&mut self.reply, Reply::accepted());
                detach(session, reply, stream, self.asked.due(), self.asked.id().cloned());
            }
            Caller::Opening { .. } => self.end_opening(),
            _ => {}
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.leave();
    }
}

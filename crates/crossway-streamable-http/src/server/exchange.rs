//! One POST whose reply is under way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{Call, CallError, Link, Reason, Reply, SessionOwner, SessionPermit};
use futures_core::Stream;
use parking_lot::{Mutex, MutexGuard};

use super::control::StreamControl;
use super::endpoint::Endpoint;
use super::session::{Session, Ticket, detach};
use super::stop::Watch;

/// A POST that was sent upstream, until its last response is out.
pub(crate) struct Exchange {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) caller: Caller,
    pub(crate) asked: Asked,
    pub(crate) control: Option<StreamControl>,
    /// The ticket of the response's stream, once it is a stream of a session.
    pub(crate) ticket: Option<Ticket>,
    reply: Reply,
    /// `None` for what ends in another way when the endpoint is closed.
    pub(crate) cut_off: Option<Watch>,
    is_over: bool,
}

/// A POST whose response is a stream. Whoever resumes the stream can take the exchange out, though the old connection still holds this.
pub(crate) struct Exchanging(Mutex<Option<Exchange>>);

impl Exchanging {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self(Mutex::new(Some(exchange)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Exchange>> {
        self.0.lock()
    }

    /// Detaches the call from the stream on which it was made.
    pub(crate) fn let_go(&self) {
        let exchange = self.lock().take();
        drop(exchange);
    }
}

/// The client that makes a request.
pub(crate) enum Caller {
    /// A client in its session.
    Session(Arc<Session>),
    /// A client that asks for a session.
    Opening {
        /// The session that the client gets if the upstream agrees.
        session: Arc<Session>,
        /// Whether the client has got the id already.
        is_announced: bool,
        /// The `params` of its `initialize`, if a handle may be made of them.
        params: Option<Box<Bytes>>,
    },
    /// A client without a session, over the link that all such clients share.
    Stateless(Link),
}

/// The content of a POST.
pub(crate) enum Asked {
    /// A single request.
    Request {
        /// The request's id.
        id: RequestId,
        /// Whether the response is still to come.
        is_due: bool,
        /// How the request is treated.
        kind: RequestKind,
    },
    /// A batch, with the number of its requests still to be answered.
    Batch(usize),
    /// Nothing that has an answer.
    Nothing,
}

/// Requests that are treated differently.
pub(crate) enum RequestKind {
    /// Any other request.
    Plain,
    /// `subscriptions/listen`, which is answered when either side ends it. It has the place of a session of its caller's.
    Subscription { _place: Option<SessionPermit> },
    /// `tools/list` of a stateless client: the answer shows which of this client's arguments are mirrored.
    ToolList(Option<SessionOwner>),
}

/// The next event of an exchange.
pub(crate) enum Step {
    /// A message before the response.
    Interim(Message),
    /// A response.
    Response(Message),
    /// A failure instead of the response.
    Failed(CallError),
    /// The end.
    Ended,
}

impl Asked {
    pub(crate) fn request(id: RequestId, kind: RequestKind) -> Self {
        Self::Request { id, is_due: true, kind }
    }

    /// The number of responses that are still to come.
    pub(crate) fn due(&self) -> usize {
        match self {
            Self::Request { is_due, .. } => usize::from(*is_due),
            Self::Batch(due) => *due,
            Self::Nothing => 0,
        }
    }

    /// The id of the single request, which failures answer.
    pub(crate) fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Request { id, .. } => Some(id),
            _ => None,
        }
    }

    pub(crate) fn is_subscription(&self) -> bool {
        matches!(self, Self::Request { kind: RequestKind::Subscription { .. }, .. })
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
        // An error of a whole batch would have nobody's id. Its session's link fails each of its calls.
        let cut_off = (!matches!(asked, Asked::Batch(_))).then(|| Watch::new(&endpoint.cut_off));
        Self { endpoint, caller, asked, control, ticket: None, reply, cut_off, is_over: false }
    }

    /// The client's session, if it has or gets one.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        match &self.caller {
            Caller::Session(session) | Caller::Opening { session, .. } => Some(session),
            Caller::Stateless(_) => None,
        }
    }

    pub(crate) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            let step = match ready!(self.poll_reply(cx)) {
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
                    let error = self.with_cause(error);
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

    /// What the reply says next; an error once the endpoint is closed, if there is no answer by then.
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, CallError>>> {
        let next = Pin::new(&mut self.reply).poll_next(cx);
        let mut is_cut_off = || self.cut_off.as_mut().is_some_and(|watch| watch.poll_stopped(cx));
        if next.is_pending() && is_cut_off() {
            return Poll::Ready(Some(Err(CallError::unknown(Reason::Closing))));
        }
        next
    }

    /// Opens the session if the upstream has agreed; ends it otherwise.
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

    /// Registers the session before the upstream has agreed, since its client may have to answer the upstream first.
    pub(crate) fn announce(&mut self) {
        if let Caller::Opening { session, is_announced, .. } = &mut self.caller {
            self.endpoint.sessions.insert(Arc::clone(session));
            *is_announced = true;
        }
    }

    /// Names the client's DELETE as the reason for which its session's link was closed.
    fn with_cause(&self, error: CallError) -> CallError {
        let is_deleted = matches!(&self.caller, Caller::Session(session) if session.has_ended());
        match error.reason() {
            Reason::Closing if is_deleted && !self.endpoint.cut_off.is_stopped() => {
                CallError::new(Reason::SessionDeleted, error.outcome())
            }
            _ => error,
        }
    }

    fn fail(&self, error: &CallError) {
        match &self.caller {
            Caller::Session(session) if *error.reason() == Reason::SessionEnded => {
                self.endpoint.lose_session(session);
            }
            _ => self.end_opening(),
        }
    }

    /// Refuses a request of an upstream: "The server **MUST NOT** send independent JSON-RPC _requests_ on this stream" (2026-07-28,
    /// basic/transports/streamable-http, Receiving Messages).
    fn refuse(&self, request: &Message) -> bool {
        let Caller::Stateless(link) = &self.caller else { return false };
        let reason = Reason::InvalidAnswer("servers must not send requests in this revision".into());
        let answer = CallError::not_sent(reason).to_message(request.id().as_ref());
        let handing_on = link.call(Call::message(answer, crossway_service::Context::default()));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(handing_on.drain());
        }
        true
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Cancels the call or lets it continue alone, depending on the revision.
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

//! The reply to one modern request.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use crossway_era::to_legacy::{self, Call, ClientFeatures, Question, Step};
use crossway_proto::{Message, RequestId};
use crossway_service::{CallError, Context, Outcome, Reason, Reply};
use futures_core::Stream;
use tokio::time::{Sleep, sleep};

use super::parked::Parked;
use super::pool::{Key, Owner, Pool};
use super::pooled_session::Lease;
use super::roots::Held;
use super::sharers::Sharer;
use super::turns::Turn;
use crate::limits::PARK_GRACE;
use crate::mailbox::{Found, Mailbox};

/// One call's reply.
pub(super) struct CallReply {
    pool: Arc<Pool>,
    /// The client's id of the call, by which it can be cancelled.
    id: RequestId,
    message: Message,
    context: Context,
    owner: Owner,
    asks: ClientFeatures,
    mailbox: Arc<Mailbox>,
    phase: Phase,
    /// The questions for the client.
    questions: Vec<Question>,
    /// Until when further questions are collected.
    grace: Option<Pin<Box<Sleep>>>,
    /// The server's questions that are left to a later call.
    held: Option<Held>,
    /// Whether the client was asked before the call was sent.
    was_asked_before: bool,
    /// Whether the call was sent to a session of its own that turned out to be gone before the server saw the call.
    was_lost: bool,
    /// Whether the call has waited for its client, and the server knows it since.
    is_resumed: bool,
}

enum Phase {
    /// A session is being opened, or has to be told something first.
    Opening(Pin<Box<dyn Future<Output = Result<Lease, CallError>> + Send>>),
    Running(Box<Running>),
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// By the server.
    Answered,
    /// By time or by its client: the server may still be at work, or hang.
    GivenUp,
    /// In another way.
    Failed,
}

struct Running {
    call: Call,
    /// `None` if the call is to be sent once the client has answered.
    reply: Option<Reply>,
    lease: Lease,
}

/// Continue to look for input, or break with an item for the client or the end.
type Next = ControlFlow<Option<Result<Message, CallError>>>;

const LOOK: Next = ControlFlow::Continue(());

impl CallReply {
    pub(super) fn new(pool: Arc<Pool>, id: RequestId, message: Message, context: Context) -> Self {
        let asks = ClientFeatures::of(&message);
        let owner = pool.owner(&message, &asks, &context);
        let mut reply = Self {
            pool,
            id,
            message,
            context,
            owner,
            asks,
            mailbox: Arc::default(),
            phase: Phase::Over,
            questions: Vec::new(),
            grace: None,
            held: None,
            was_asked_before: false,
            was_lost: false,
            is_resumed: false,
        };
        reply.pool.note_call(reply.context.origin, &reply.id, &reply.mailbox);
        reply.phase = reply.begin();
        reply
    }

    /// Resumes a call that has waited for its client.
    pub(super) fn again(pool: Arc<Pool>, parked: Parked, message: &Message, context: &Context) -> Self {
        let Parked { call, reply, lease, mailbox, owner, sharer, .. } = parked;
        let id = call.id().clone();
        pool.note_call(context.origin, &id, &mailbox);
        let (asks, is_sent) = (call.asks().clone(), reply.is_some());
        let phase = match is_sent {
            true => Phase::Running(Box::new(Running { call, reply, lease })),
            false => Phase::Opening(Box::pin(readied(lease, message.clone(), sharer))),
        };
        Self {
            pool,
            id,
            message: message.clone(),
            context: context.clone(),
            owner,
            asks,
            mailbox,
            phase,
            questions: Vec::new(),
            grace: None,
            held: None,
            was_asked_before: !is_sent,
            was_lost: false,
            is_resumed: is_sent,
        }
    }

    /// Finds a session. If it is open, the call is sent at once, so that calls keep their order.
    fn begin(&mut self) -> Phase {
        let may_ask = !self.asks.is_empty() && to_legacy::may_ask(&self.message);
        let key = Key { owner: self.owner.clone(), asks: self.asks.clone() };
        let sharer = self.pool.options.sharers.of(&self.context);
        let turn = match may_ask {
            true => self.pool.lease_alone(&key, &sharer),
            false => self.pool.lease(key.owner.clone(), &key.asks).map(Turn::Now),
        };
        let message = self.message.clone();
        match turn {
            Ok(Turn::Now(lease)) if is_ready(&lease, &message, &sharer) => {
                self.send(lease).unwrap_or_else(|error| {
                    self.mailbox.deliver(*error);
                    Phase::Opening(Box::pin(std::future::pending()))
                })
            }
            Ok(Turn::Now(lease)) => Phase::Opening(Box::pin(readied(lease, message, sharer))),
            Ok(Turn::Later(turns)) => {
                let (pool, waiting) = (Arc::clone(&self.pool), turns.wait());
                Phase::Opening(Box::pin(async move {
                    let lease = pool.lease_in_turn(&key, &sharer, waiting?).await?;
                    readied(lease, message, sharer).await
                }))
            }
            Err(error) => Phase::Opening(Box::pin(std::future::ready(Err(error)))),
        }
    }

    /// Sends the call on an open session. Returns the error response for a call that cannot be sent.
    fn send(&mut self, lease: Lease) -> Result<Phase, Box<Message>> {
        let Some(session) = lease.member.session() else { return Ok(Phase::Over) };
        let call =
            session.call(&self.message).map_err(|error| Box::new(Message::error_of(Some(&self.id), &error)));
        let mut call = call?;
        call.rename(&lease.member.next_id());
        let may_ask = call.may_ask();
        if may_ask && !self.was_asked_before && self.ask_before(&mut call, &lease) {
            return Ok(Phase::Running(Box::new(Running { call, reply: None, lease })));
        }
        let context = lease.member.context_of(&self.context);
        // Registered before the call is sent, so that no message of its own can come too early.
        if may_ask || call.level().is_some() || call.server_progress().is_some() {
            lease.member.take_in(&self.mailbox, &call);
        }
        let reply = lease.member.link.call(crossway_service::Call::message(call.request(), context));
        Ok(Phase::Running(Box::new(Running { call, reply: Some(reply), lease })))
    }

    /// Takes over the server's pending questions about roots: it may need the answer for this call.
    fn ask_before(&mut self, call: &mut Call, lease: &Lease) -> bool {
        for question in lease.member.take_roots() {
            match call.handle_reply(question) {
                Step::Park(question) => self.questions.push(question),
                Step::Reply(answer) | Step::Refuse(_, answer) => lease.member.tell(answer),
                _ => {}
            }
        }
        let is_asked = !self.questions.is_empty();
        if is_asked {
            self.grace = Some(Box::pin(sleep(PARK_GRACE)));
        }
        is_asked
    }

    /// Carries out a step of the state machine.
    fn take(&mut self, step: Step) -> Next {
        let Phase::Running(running) = &mut self.phase else { return LOOK };
        let member = &running.lease.member;
        match step {
            Step::Pass(message) => ControlFlow::Break(Some(Ok(message))),
            Step::Nothing => LOOK,
            Step::Announce(change) => {
                member.audience.announce(change);
                LOOK
            }
            Step::Reply(message) => {
                member.tell(message);
                LOOK
            }
            Step::Refuse(to_client, to_server) => {
                member.tell(to_server);
                self.finish(Ended::Failed);
                ControlFlow::Break(Some(Ok(to_client)))
            }
            Step::Park(question) => {
                self.questions.push(question);
                self.grace.get_or_insert_with(|| Box::pin(sleep(PARK_GRACE)));
                LOOK
            }
            Step::Done(answer) => {
                self.finish(Ended::Answered);
                ControlFlow::Break(Some(Ok(answer)))
            }
            Step::ElicitUrls(questions) => {
                let asked = self.pool.ask_anew(&running.call, &self.owner, &questions);
                self.finish(Ended::Answered);
                ControlFlow::Break(Some(Ok(asked)))
            }
        }
    }

    /// Parks the call: its client gets the server's questions.
    fn park(&mut self) -> Option<Message> {
        let (mailbox, questions) = (Arc::clone(&self.mailbox), std::mem::take(&mut self.questions));
        self.grace = None;
        let Phase::Running(running) = self.end() else { return None };
        let Running { call, reply, lease } = *running;
        let (owner, _context) = (self.owner.clone(), self.context.clone());
        let sharer = self.pool.options.sharers.of(&self.context);
        let parked = Parked { call, reply, lease, mailbox, questions, owner, sharer, _context, expiry: None };
        Some(self.pool.park(parked))
    }

    /// Unregisters the call, which may continue elsewhere.
    fn end(&mut self) -> Phase {
        self.pool.forget_call(self.context.origin, &self.id, &self.mailbox);
        std::mem::replace(&mut self.phase, Phase::Over)
    }

    /// Ends the call for good. The server's open questions are not left without an answer.
    fn finish(&mut self, ended: Ended) {
        if let Phase::Running(running) = self.end() {
            let Running { reply, lease, .. } = *running;
            let was_answered = ended == Ended::Answered;
            lease.member.refuse_rest(&self.mailbox, was_answered);
            for question in self.questions.drain(..) {
                if let Err(request) = lease.member.leave(question.into_request(), was_answered) {
                    lease.member.tell(to_legacy::unanswered(&request));
                }
            }
            if let Some(held) = self.held.take().filter(|_| !was_answered) {
                lease.member.drop_held(&held);
            }
            // The cancellation goes to the server before any other request.
            drop(reply);
            if !was_answered && self.owner.is_many() {
                lease.settle(ended);
            }
        }
    }

    /// Handles a failure. A session that is gone is replaced by another one if the call was not sent to it, or the server has refused
    /// the call because it does not know the session: as often as the session is older than the call, since a server that was started anew
    /// knows none of those, and once if it is not.
    fn fail(&mut self, error: CallError) -> Option<CallError> {
        if let Phase::Running(running) = &self.phase {
            running.lease.member.note_failure(&error);
        }
        if was_missed(&error) && !self.is_resumed && (self.is_in_older_session() || !self.was_lost) {
            self.was_lost |= !self.is_in_older_session();
            // Its place in the old session is free, for this call too.
            if let Phase::Running(running) = std::mem::replace(&mut self.phase, Phase::Over) {
                running.lease.member.let_go(&self.mailbox);
            }
            // The old session's questions mean nothing to the next one.
            self.questions.clear();
            self.mailbox.clear();
            (self.grace, self.held) = (None, None);
            self.phase = self.begin();
            return None;
        }
        let is_late = matches!(error.reason(), Reason::TimedOut(_));
        self.finish(if is_late { Ended::GivenUp } else { Ended::Failed });
        Some(super::of_the_pool(error))
    }

    fn is_in_older_session(&self) -> bool {
        matches!(&self.phase, Phase::Running(running) if running.lease.was_open)
    }

    /// Handles a message from the mailbox.
    fn found(&mut self, message: Message) -> Next {
        match &mut self.phase {
            Phase::Running(running) => {
                let step = running.call.handle_reply(message);
                self.take(step)
            }
            // From the session that is gone.
            Phase::Opening(_) if !message.is_response() => LOOK,
            // Crossway's own answer.
            Phase::Opening(_) | Phase::Over => {
                self.end();
                ControlFlow::Break(Some(Ok(message)))
            }
        }
    }

    fn poll_opening(&mut self, cx: &mut TaskContext<'_>) -> Poll<Next> {
        let Phase::Opening(opening) = &mut self.phase else { return Poll::Ready(LOOK) };
        let opened = ready!(opening.as_mut().poll(cx));
        Poll::Ready(match opened.map(|lease| self.send(lease)) {
            Ok(Ok(phase)) => {
                self.phase = phase;
                LOOK
            }
            Ok(Err(answer)) => {
                self.end();
                ControlFlow::Break(Some(Ok(*answer)))
            }
            Err(error) => self.failed(error),
        })
    }

    fn poll_running(&mut self, cx: &mut TaskContext<'_>) -> Poll<Next> {
        let Phase::Running(running) = &mut self.phase else { return Poll::Ready(LOOK) };
        let next = match &mut running.reply {
            Some(reply) => Pin::new(reply).poll_next(cx),
            None => Poll::Pending,
        };
        match next {
            Poll::Pending => self.poll_waiting(cx),
            Poll::Ready(Some(Ok(message))) => Poll::Ready(self.heard(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(self.failed(error)),
            Poll::Ready(None) => {
                self.finish(Ended::GivenUp);
                Poll::Ready(ControlFlow::Break(None))
            }
        }
    }

    /// Handles what is due while the server sends nothing.
    fn poll_waiting(&mut self, cx: &mut TaskContext<'_>) -> Poll<Next> {
        if let Phase::Running(running) = &self.phase
            && let Some(held) = &mut self.held
            && held.patience.as_mut().poll(cx).is_ready()
        {
            running.lease.member.refuse_held(held);
            self.held = None;
        }
        let Some(grace) = &mut self.grace else { return Poll::Pending };
        ready!(grace.as_mut().poll(cx));
        Poll::Ready(ControlFlow::Break(self.park().map(Ok)))
    }

    /// Handles a message of the call's own stream.
    fn heard(&mut self, message: Message) -> Next {
        let Phase::Running(running) = &mut self.phase else { return LOOK };
        running.lease.member.note_heard();
        if let Some(id) = message.request_id()
            && !running.call.may_ask()
        {
            return match running.lease.member.keep_for_later(message) {
                Ok(()) => {
                    Held::add(&mut self.held, id);
                    LOOK
                }
                Err(message) => {
                    let step = running.call.handle_reply(*message);
                    self.take(step)
                }
            };
        }
        if message.is_method("notifications/cancelled") {
            running.lease.member.note_withdrawn(&message);
        }
        let step = running.call.handle_reply(message);
        self.take(step)
    }

    fn failed(&mut self, error: CallError) -> Next {
        self.fail(error).map_or(LOOK, |error| ControlFlow::Break(Some(Err(error))))
    }
}

/// Opens the session, and tells the server what it has to know before the call.
async fn readied(lease: Lease, message: Message, sharer: Sharer) -> Result<Lease, CallError> {
    let session = lease.member.open().await?;
    if let Some(level) = session.call(&message).ok().and_then(|call| call.level()) {
        lease.member.lower_level(level).await;
    }
    // Changes made by the call have to reach listeners.
    lease.member.catch_up(&sharer).await;
    Ok(lease)
}

/// Whether nothing has to be done before the call.
fn is_ready(lease: &Lease, message: &Message, sharer: &Sharer) -> bool {
    let Some(session) = lease.member.session() else { return false };
    let level = || session.call(message).ok().and_then(|call| call.level());
    let needs_level =
        message.log_level().is_some() && level().is_some_and(|level| lease.member.needs_level(level));
    !needs_level && !lease.member.is_behind(sharer)
}

impl Stream for CallReply {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if matches!(this.phase, Phase::Over) {
                return Poll::Ready(None);
            }
            let next = match (this.mailbox.look(cx), &this.phase) {
                (Found::Ended(error), _) => {
                    this.finish(Ended::GivenUp);
                    ControlFlow::Break(error.map(Err))
                }
                (Found::Message(message), _) => this.found(*message),
                (Found::Nothing, Phase::Opening(_)) => ready!(this.poll_opening(cx)),
                (Found::Nothing, _) => ready!(this.poll_running(cx)),
            };
            if let ControlFlow::Break(item) = next {
                return Poll::Ready(item);
            }
        }
    }
}

impl Drop for CallReply {
    fn drop(&mut self) {
        if !matches!(self.phase, Phase::Over) {
            self.finish(Ended::GivenUp);
        }
    }
}

/// Whether the session is gone, and the server has not looked at the call: it was not sent, or refused because the server does not know
/// the session.
fn was_missed(error: &CallError) -> bool {
    match error.outcome() {
        Outcome::NotSent => super::is_the_end(error),
        Outcome::Answered => *error.reason() == Reason::SessionEnded,
        Outcome::Unknown => false,
    }
}

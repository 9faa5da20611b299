//! The reply to a request: one POST and its response.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{CallError, ErrorText, Reason, later};
use futures_core::Stream;
use tokio::time::{Instant, Sleep};

use super::alias::Alias;
use super::answer::{self, Answer};
use super::errands::Errand;
use super::events::{Event, Events, may_answer};
use super::http::BodyError;
use super::limits;
use super::open::{self, Manner};
use super::retry::Retry;
use super::session::{Fate, Ticket};

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// The reply to a request: one POST, whose response is read as the reply is polled.
///
/// Dropping it before its end drops the HTTP response, which cancels a modern request ("Closing the SSE response
/// stream **MUST** be treated by the server as cancellation of that request", 2026-07-28,
/// basic/transports/streamable-http). A legacy one is cancelled by a message.
pub(super) struct Exchange {
    ticket: Ticket,
    /// The id under which the upstream knows the request.
    id: RequestId,
    /// What the client calls the request, if that is something else.
    alias: Option<Alias>,
    stage: Stage,
    kind: Asked,
    retry: Retry,
    /// The rest of the time in which the request waits for the session's standing stream.
    held: Option<Pin<Box<Sleep>>>,
    deadline: Option<(Duration, Pin<Box<Sleep>>)>,
}

enum Stage {
    /// Not polled yet, so nothing has been sent.
    Unsent(Boxed<Answer>),
    Asking(Boxed<Answer>),
    Batch(std::vec::IntoIter<Message>),
    Reading(Box<Events>),
    Resuming(Boxed<(Box<Events>, Retry)>),
    Done,
}

/// Facts about the request that are needed when its answer comes.
struct Asked {
    is_modern: bool,
    is_initialize: bool,
    /// Whether to search the tools in the answer for parameters that are mirrored in headers.
    lists_tools: bool,
}

/// The end of a reply.
enum End {
    Answer(Message),
    Failed(CallError),
    Cancelled,
}

impl Exchange {
    pub(super) fn new(
        ticket: Ticket,
        request: Message,
        id: RequestId,
        alias: Option<Alias>,
        manner: Manner,
        deadline: Option<std::time::Instant>,
    ) -> Self {
        let kind = Asked {
            is_modern: manner.is_modern(),
            is_initialize: matches!(manner, Manner::Initialize),
            lists_tools: matches!(manner, Manner::Modern { params: None, .. })
                && request.is_method("tools/list"),
        };
        let deadline = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            (left, Box::pin(tokio::time::sleep_until(later(Instant::now(), left))))
        });
        let session = Arc::clone(&ticket.session);
        let stage = Stage::Unsent(Box::pin(open::ask(session, request, id.clone(), manner)));
        Self { ticket, id, alias, stage, kind, retry: Retry::default(), held: None, deadline }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, End>> {
        loop {
            match &mut self.stage {
                Stage::Unsent(_) => {
                    ready!(self.poll_turn(cx));
                    if let Stage::Unsent(asking) = std::mem::replace(&mut self.stage, Stage::Done) {
                        self.stage = Stage::Asking(asking);
                    }
                }
                Stage::Asking(asking) => match ready!(asking.as_mut().poll(cx)) {
                    Ok(Answer::Final(answer)) => return Poll::Ready(Err(End::Answer(answer))),
                    Ok(Answer::Batch(messages)) => self.stage = Stage::Batch(messages.into_iter()),
                    Ok(Answer::Stream(events)) => self.stage = Stage::Reading(events),
                    Err(error) => return Poll::Ready(Err(End::Failed(error))),
                },
                Stage::Batch(messages) => match messages.next() {
                    Some(message) => {
                        if let Some(item) = self.sort(message) {
                            return Poll::Ready(item);
                        }
                    }
                    None => {
                        let error = answer::invalid("the batch has no answer to the request");
                        return Poll::Ready(Err(End::Failed(error)));
                    }
                },
                Stage::Reading(events) => match ready!(events.poll_next(cx)) {
                    Event::Message(message) => {
                        if let Some(item) = self.sort(message) {
                            if let Stage::Reading(events) = &mut self.stage {
                                events.note_use();
                            }
                            return Poll::Ready(item);
                        }
                    }
                    Event::Unreadable(text, error) => {
                        self.ticket.session.shared.stray(&error.to_string());
                        if may_answer(&text, &self.id) {
                            let error = ErrorText::public(error.to_string());
                            return Poll::Ready(Err(End::Failed(answer::invalid(error))));
                        }
                    }
                    Event::Endpoint => self.ticket.session.shared.stray("an endpoint event"),
                    Event::TooLarge(error) => {
                        return Poll::Ready(Err(End::Failed(answer::invalid(ErrorText::public(
                            error.to_string(),
                        )))));
                    }
                    Event::Ended(error) => {
                        if let Err(error) = self.take_up(error) {
                            return Poll::Ready(Err(End::Failed(error)));
                        }
                    }
                },
                Stage::Resuming(resuming) => match ready!(resuming.as_mut().poll(cx)) {
                    Ok((events, retry)) => {
                        self.retry = retry;
                        self.stage = Stage::Reading(events);
                    }
                    Err(error) => return Poll::Ready(Err(End::Failed(error))),
                },
                Stage::Done => return Poll::Ready(Err(End::Cancelled)),
            }
        }
    }

    /// Ready when the request may be sent. A server sends requests that belong to no call on the standing stream, so a call
    /// that might cause one must not overtake it.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ticket.is_held() {
            return Poll::Ready(());
        }
        let heads_are_late = &self.ticket.session.shared.heads_are_late;
        let held = self.held.get_or_insert_with(|| {
            let is_late = heads_are_late.load(Ordering::Relaxed);
            let wait = if is_late { limits::STANDING_FIRST_AGAIN } else { limits::STANDING_FIRST };
            Box::pin(tokio::time::sleep(wait))
        });
        ready!(held.as_mut().poll(cx));
        heads_are_late.store(true, Ordering::Relaxed);
        self.ticket.session.release();
        Poll::Ready(())
    }

    /// Classifies a message of the response: the answer, one before it, or one that does not belong to this call.
    fn sort(&self, mut message: Message) -> Option<Result<Message, End>> {
        let shared = &self.ticket.session.shared;
        match message.kind() {
            Kind::Notification => {
                let is_ours =
                    self.alias.as_ref().is_none_or(|alias| alias.restore_notification(&mut message));
                if !is_ours {
                    shared.stray("a notification of another request");
                }
                is_ours.then_some(Ok(message))
            }
            // "The server **MUST NOT** send independent JSON-RPC _requests_ on this stream." (2026-07-28,
            // basic/transports/streamable-http, Receiving Messages)
            Kind::Request if self.kind.is_modern => {
                shared.stray("a request of the server's, in a modern stream");
                None
            }
            Kind::Request => Some(Ok(message)),
            Kind::Result | Kind::Error => match answer::to_answer(message, &self.id) {
                Ok(answer) => Some(Err(End::Answer(answer))),
                Err(_) => {
                    shared.stray("an answer to no question");
                    None
                }
            },
        }
    }

    /// Resumes a stream that has ended without the answer, if possible.
    fn take_up(&mut self, error: Option<BodyError>) -> Result<(), CallError> {
        let Stage::Reading(events) = std::mem::replace(&mut self.stage, Stage::Done) else { return Ok(()) };
        // "Resumable SSE streams via `Last-Event-ID` are not supported." (2026-07-28,
        // basic/transports/streamable-http)
        if self.kind.is_modern || events.last_event_id().is_none() {
            return Err(open::unanswered(match error {
                None => ErrorText::public(""),
                Some(error @ BodyError::Broken(_)) => ErrorText::private(format!("({error})")),
                Some(error) => ErrorText::public(format!("({error})")),
            }));
        }
        if events.was_good(limits::STREAM_LIVED) {
            self.retry.succeeded();
        }
        let session = Arc::clone(&self.ticket.session);
        self.stage = Stage::Resuming(Box::pin(open::resume(session, events.into_decoder(), self.retry)));
        Ok(())
    }

    /// Processes the answer before the client gets it.
    fn conclude(&mut self, mut answer: Message) -> Message {
        if let Stage::Reading(events) = std::mem::replace(&mut self.stage, Stage::Done) {
            events.let_go();
        }
        if let Some(alias) = &self.alias {
            alias.restore_answer(&mut answer);
        }
        let session = &self.ticket.session;
        if self.kind.is_initialize {
            session.negotiated(&answer);
        }
        if self.kind.lists_tools {
            return session.shared.mirrored.learn(answer, &session.shared);
        }
        answer
    }

    /// Whether the upstream has to be told that nobody waits for the answer any more.
    ///
    /// "The `initialize` request **MUST NOT** be cancelled by clients" (2025-11-25, basic/utilities/cancellation).
    fn needs_cancellation(&self) -> bool {
        let is_open = !matches!(self.stage, Stage::Unsent(_) | Stage::Done);
        is_open && !self.kind.is_modern && !self.kind.is_initialize
    }

    fn cancel(&mut self) {
        if self.needs_cancellation() {
            let session = &self.ticket.session;
            session.shared.run(Errand::Cancel(session.badge(), self.id.clone()));
        }
        self.stage = Stage::Done;
    }
}

impl Stream for Exchange {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if matches!(this.stage, Stage::Done) {
            return Poll::Ready(None);
        }
        match this.ticket.fate(cx) {
            Fate::Open(_) => {}
            // The canceller has told the upstream.
            Fate::Cancelled => {
                this.stage = Stage::Done;
                return Poll::Ready(None);
            }
            Fate::Closed => {
                this.stage = Stage::Done;
                return Poll::Ready(Some(Err(CallError::unknown(Reason::Closing))));
            }
        }
        if let Some((limit, sleep)) = &mut this.deadline
            && sleep.as_mut().poll(cx).is_ready()
        {
            let error = Reason::TimedOut(*limit);
            let is_unsent = matches!(this.stage, Stage::Unsent(_));
            this.cancel();
            let error = if is_unsent { CallError::not_sent(error) } else { CallError::unknown(error) };
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(this.poll_end(cx)) {
            Ok(message) => Poll::Ready(Some(Ok(message))),
            Err(End::Answer(answer)) => Poll::Ready(Some(Ok(this.conclude(answer)))),
            Err(End::Failed(error)) => {
                this.stage = Stage::Done;
                Poll::Ready(Some(Err(error)))
            }
            Err(End::Cancelled) => Poll::Ready(None),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.cancel();
    }
}

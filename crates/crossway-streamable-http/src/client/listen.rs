//! The reply to a listener: the standing stream of a legacy session.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crossway_proto::http_rules::content_encoding::coding;
use crossway_proto::sse::SseDecoder;
use crossway_proto::{Kind, Message};
use crossway_service::{CallError, Reason};
use futures_core::Stream;
use http::StatusCode;
use tokio::time::Sleep;

use super::ahead::Ahead;
use super::answer;
use super::events::{Event, Events};
use super::http::Purpose;
use super::open;
use super::retry::Retry;
use super::session::{Fate, Phase, Session, Ticket};
use super::{headers, limits};

/// The standing stream: opened by GET once the session is initialized, and again whenever it ends.
///
/// An upstream without one (405) is no failure: the reply then waits for the connection's end.
pub(super) struct Listening {
    ticket: Ticket,
    stage: Stage,
    retry: Retry,
    /// Whether the upstream has ever given the stream in this session.
    was_open: bool,
}

enum Stage {
    /// For `notifications/initialized` to be accepted, or for what is being opened ahead.
    Waiting,
    Opening(Opening),
    Reading(Box<Events>),
    Pausing(Pin<Box<Sleep>>, Box<SseDecoder>),
    /// There is no stream.
    Parked,
    Done,
}

/// A GET that is being made.
pub(super) type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// What came of a GET.
pub(super) enum Opened {
    Stream(Box<Events>),
    /// Not now; maybe later.
    Failed(Box<SseDecoder>, Option<Duration>),
    /// The upstream has no such stream.
    None(StatusCode),
    Lost,
}

impl Listening {
    pub(super) fn new(ticket: Ticket) -> Self {
        Self { ticket, stage: Stage::Waiting, retry: Retry::default(), was_open: false }
    }

    fn open(&mut self, decoder: Box<SseDecoder>) {
        let session = Arc::clone(&self.ticket.session);
        self.stage = Stage::Opening(Box::pin(open(session, decoder, self.was_open)));
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>, phase: Phase) -> Poll<Option<Result<Message, CallError>>> {
        loop {
            match &mut self.stage {
                Stage::Waiting if phase == Phase::Initialized => match self.ticket.session.take_ahead() {
                    Ahead::None => {
                        let decoder =
                            SseDecoder::new(self.ticket.session.shared.limits.message.message_bytes);
                        self.open(Box::new(decoder));
                    }
                    Ahead::Opening => return Poll::Pending,
                    Ahead::Begun(opening) => self.stage = Stage::Opening(opening),
                    Ahead::Ready(opened) => {
                        if self.opened(opened).is_break() {
                            return self.end();
                        }
                    }
                },
                Stage::Waiting | Stage::Parked => return Poll::Pending,
                Stage::Opening(opening) => {
                    let opened = ready!(opening.as_mut().poll(cx));
                    self.ticket.session.release();
                    if self.opened(opened).is_break() {
                        return self.end();
                    }
                }
                Stage::Reading(events) => match ready!(events.poll_next(cx)) {
                    // "The server **MUST NOT** send a JSON-RPC _response_ on the stream" (2025-11-25,
                    // basic/transports, Listening for Messages from the Server).
                    Event::Message(message) if matches!(message.kind(), Kind::Result | Kind::Error) => {
                        self.ticket.session.shared.stray("an answer on the standing stream");
                    }
                    Event::Message(message) => return Poll::Ready(Some(Ok(message))),
                    Event::TooLarge(error) => self.ticket.session.shared.stray(&error.to_string()),
                    // n8n answers a GET here with a stream of HTTP+SSE, which is none of this session's.
                    Event::Endpoint => self.stage = Stage::Parked,
                    Event::Ended(_) => self.reopen(),
                },
                Stage::Pausing(sleep, _) => {
                    ready!(sleep.as_mut().poll(cx));
                    if let Stage::Pausing(_, decoder) = std::mem::replace(&mut self.stage, Stage::Parked) {
                        self.open(decoder);
                    }
                }
                Stage::Done => return Poll::Ready(None),
            }
        }
    }

    /// Goes on with what came of a GET, unless the session is over.
    fn opened(&mut self, opened: Opened) -> ControlFlow<()> {
        match opened {
            Opened::Stream(events) => {
                self.was_open = true;
                self.stage = Stage::Reading(events);
            }
            Opened::Failed(decoder, asked) => self.pause(decoder, asked),
            Opened::None(status) => {
                let upstream = self.ticket.session.shared.http.endpoint().origin();
                tracing::debug!(%upstream, status = status.as_u16(), "the server offers no stream of its own");
                self.stage = Stage::Parked;
            }
            Opened::Lost => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// The stream has ended: it is opened again where it was.
    fn reopen(&mut self) {
        if let Stage::Reading(events) = std::mem::replace(&mut self.stage, Stage::Parked) {
            if events.was_good(limits::STREAM_LIVED) {
                self.retry.succeeded();
            }
            self.pause(Box::new(events.into_decoder()), None);
        }
    }

    /// Waits before the next attempt. There is no last one: the client still listens, and attempts are rare.
    fn pause(&mut self, decoder: Box<SseDecoder>, asked: Option<Duration>) {
        let asked = asked.or(decoder.retry().map(Duration::from_millis));
        let wait = self.retry.failed(asked);
        self.stage = Stage::Pausing(Box::pin(tokio::time::sleep(wait)), decoder);
    }

    fn end(&mut self) -> Poll<Option<Result<Message, CallError>>> {
        self.stage = Stage::Done;
        Poll::Ready(Some(Err(CallError::unknown(Reason::SessionEnded))))
    }
}

pub(super) async fn open(session: Arc<Session>, mut decoder: Box<SseDecoder>, was_open: bool) -> Opened {
    let badge = session.badge();
    let kept = match decoder.last_event_id() {
        None => session.take_last_event_id(),
        Some(_) => None,
    };
    let last_event_id = decoder.last_event_id().or(kept.as_deref());
    let response = match open::get(&session, &badge, last_event_id, Purpose::Listen).await {
        Ok(response) => response,
        Err(_) => {
            if let Some(id) = kept {
                session.keep_last_event_id(&id);
            }
            return Opened::Failed(decoder, None);
        }
    };
    let status = response.head.status;
    if status == StatusCode::OK && headers::is_event_stream(&response.head.headers) {
        decoder.finish();
        return Opened::Stream(Box::new(Events::new(session, response.body, *decoder)));
    }
    if open::is_transient(status) {
        let asked = answer::retry_after(&response.head.headers);
        response.body.let_go();
        return Opened::Failed(decoder, asked);
    }
    if status == StatusCode::NOT_FOUND && badge.session.is_some() {
        // Frameworks answer 404 where no handler for GET is, some of them in JSON. It tells of the session's end if the stream was
        // there before, or if the server says so in its own words.
        if was_open || answer::error_in(&session, &response.head.headers, response.body).await.is_some() {
            session.lost(&badge);
            return Opened::Lost;
        }
        return Opened::None(status);
    }
    response.body.let_go();
    if let Some(coding) = coding(&response.head.headers).filter(|_| status == StatusCode::OK) {
        let upstream = session.shared.http.endpoint().origin();
        tracing::warn!(%upstream, coding, "the server's stream of its own is encoded, which was not asked for, and is not read");
    }
    Opened::None(status)
}

impl Stream for Listening {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.ticket.fate(cx) {
            Fate::Open(Phase::Lost) if !matches!(self.stage, Stage::Done) => self.end(),
            Fate::Open(phase) => self.poll_stage(cx, phase),
            Fate::Cancelled | Fate::Closed => {
                self.stage = Stage::Done;
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for Listening {
    /// The next listener of the session goes on where this one stopped.
    fn drop(&mut self) {
        self.ticket.session.release();
        let id = match &self.stage {
            Stage::Reading(events) => events.last_event_id(),
            Stage::Pausing(_, decoder) => decoder.last_event_id(),
            _ => None,
        };
        if let Some(id) = id {
            self.ticket.session.keep_last_event_id(id);
        }
    }
}

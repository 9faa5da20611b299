//! The standing stream of a legacy session, as a reply.

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
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Sleep;

use super::ahead::Ahead;
use super::answer;
use super::events::{Event, Events};
use super::http::Purpose;
use super::open;
use super::retry::Retry;
use super::session::{Fate, Phase, Session, Ticket};
use super::{headers, limits};

/// A listener of a session's standing stream. All listeners share one stream, and the newest reads it, since an older one may belong to
/// a client's stream that is broken without anybody knowing.
pub(super) struct Listening {
    ticket: Ticket,
    number: u64,
    standing: Arc<Mutex<Standing>>,
    is_over: bool,
}

/// The standing stream: opened by GET once the session is initialized, and again whenever it ends.
///
/// An upstream without such a stream (405) is not an error: the replies then wait for the connection's end.
pub(super) struct Standing {
    session: Arc<Session>,
    stage: Stage,
    retry: Retry,
    /// Whether the upstream has ever opened the stream in this session.
    was_open: bool,
}

enum Stage {
    /// Waiting until `notifications/initialized` is accepted, or the stream was opened ahead.
    Waiting,
    Opening(Opening),
    Reading(Box<Events>),
    Pausing(Pin<Box<Sleep>>, Box<SseDecoder>),
    /// There is no stream.
    Parked,
}

/// A GET in flight.
pub(super) type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// The result of a GET.
pub(super) enum Opened {
    Stream(Box<Events>),
    /// Failed for now, with the time that the server asks to wait.
    Failed(Box<SseDecoder>, Option<Duration>),
    /// The upstream has no such stream.
    None(StatusCode),
    Lost,
}

impl Listening {
    pub(super) fn new(ticket: Ticket) -> Self {
        let (number, standing) = ticket.session.enter();
        Self { ticket, number, standing, is_over: false }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock()
    }
}

impl Standing {
    pub(super) fn new(session: &Arc<Session>) -> Self {
        Self { session: Arc::clone(session), stage: Stage::Waiting, retry: Retry::default(), was_open: false }
    }

    fn open(&mut self, decoder: Box<SseDecoder>) {
        let session = Arc::clone(&self.session);
        self.stage = Stage::Opening(Box::pin(open(session, decoder, self.was_open)));
    }

    /// Polls for the next message; `None` when the session is lost.
    fn poll_stage(&mut self, cx: &mut Context<'_>, phase: Phase) -> Poll<Option<Message>> {
        loop {
            match &mut self.stage {
                Stage::Waiting if phase == Phase::Initialized => match self.session.take_ahead() {
                    Ahead::None => {
                        let decoder = SseDecoder::new(self.session.shared.limits.message.message_bytes);
                        self.open(Box::new(decoder));
                    }
                    Ahead::Opening => return Poll::Pending,
                    Ahead::Begun(opening) => self.stage = Stage::Opening(opening),
                    Ahead::Ready(opened) => {
                        if self.opened(opened).is_break() {
                            return Poll::Ready(None);
                        }
                    }
                },
                Stage::Waiting | Stage::Parked => return Poll::Pending,
                Stage::Opening(opening) => {
                    let opened = ready!(opening.as_mut().poll(cx));
                    self.session.release();
                    if self.opened(opened).is_break() {
                        return Poll::Ready(None);
                    }
                }
                Stage::Reading(events) => match ready!(events.poll_next(cx)) {
                    // "The server **MUST NOT** send a JSON-RPC _response_ on the stream" (2025-11-25,
                    // basic/transports, Listening for Messages from the Server).
                    Event::Message(message) if matches!(message.kind(), Kind::Result | Kind::Error) => {
                        self.session.shared.stray("an answer on the standing stream");
                    }
                    Event::Message(message) => {
                        events.note_use();
                        return Poll::Ready(Some(message));
                    }
                    Event::Unreadable(_, error) => self.session.shared.stray(&error.to_string()),
                    Event::TooLarge(error) => self.session.shared.stray(&error.to_string()),
                    // n8n answers a GET here with a stream of HTTP+SSE, which does not belong to this session.
                    Event::Endpoint => self.stage = Stage::Parked,
                    Event::Ended(_) => self.reopen(),
                },
                Stage::Pausing(sleep, _) => {
                    ready!(sleep.as_mut().poll(cx));
                    if let Stage::Pausing(_, decoder) = std::mem::replace(&mut self.stage, Stage::Parked) {
                        self.open(decoder);
                    }
                }
            }
        }
    }

    /// Continues with the result of a GET; breaks if the session is lost.
    fn opened(&mut self, opened: Opened) -> ControlFlow<()> {
        match opened {
            Opened::Stream(events) => {
                self.was_open = true;
                self.stage = Stage::Reading(events);
            }
            Opened::Failed(decoder, asked) => self.pause(decoder, asked),
            Opened::None(status) => {
                let upstream = self.session.shared.http.endpoint().origin();
                tracing::debug!(%upstream, status = status.as_u16(), "the server offers no stream of its own");
                self.stage = Stage::Parked;
            }
            Opened::Lost => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Reopens a stream that has ended, from its last event on.
    fn reopen(&mut self) {
        if let Stage::Reading(events) = std::mem::replace(&mut self.stage, Stage::Parked) {
            if events.was_good(limits::STREAM_LIVED) {
                self.retry.succeeded();
            }
            self.pause(Box::new(events.into_decoder()), None);
        }
    }

    /// Waits before the next attempt. Attempts never stop: the client still listens, and they are rare.
    fn pause(&mut self, decoder: Box<SseDecoder>, asked: Option<Duration>) {
        let asked = asked.or(decoder.retry().map(Duration::from_millis));
        let wait = self.retry.failed(asked);
        self.stage = Stage::Pausing(Box::pin(tokio::time::sleep(wait)), decoder);
    }

    /// The stream's last event id.
    fn last_event_id(&self) -> Option<&[u8]> {
        match &self.stage {
            Stage::Reading(events) => events.last_event_id(),
            Stage::Pausing(_, decoder) => decoder.last_event_id(),
            _ => None,
        }
    }
}

pub(super) async fn open(session: Arc<Session>, mut decoder: Box<SseDecoder>, was_open: bool) -> Opened {
    let badge = session.badge();
    if decoder.last_event_id().is_none()
        && let Some(kept) = session.take_last_event_id()
    {
        decoder.set_last_event_id(kept);
    }
    let get = async |last: Option<&[u8]>| open::get(&session, &badge, last, Purpose::Listen).await;
    let Ok(mut response) = get(decoder.last_event_id()).await else {
        return Opened::Failed(decoder, None);
    };
    // The server may have refused only the id, because it no longer knows it. The stream then starts over.
    if decoder.last_event_id().is_some() && may_be_of_the_id(response.head.status) {
        response.body.let_go();
        decoder.set_last_event_id(Vec::new());
        response = match get(None).await {
            Ok(response) => response,
            Err(_) => return Opened::Failed(decoder, None),
        };
    }
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
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::GONE)
        && badge.session.is_some()
    {
        let error = answer::error_in(&session, &response.head.headers, response.body).await;
        // Frameworks answer 404 if there is no handler for GET, some of them in JSON. It only means the session's end if the stream
        // was open before, or if the server says so with an error of its own.
        let is_lost = match status {
            StatusCode::NOT_FOUND => was_open || error.is_some(),
            status => error.is_some_and(|error| answer::says_session_is_unknown(&badge, status, &error)),
        };
        if is_lost {
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

/// Whether a status may mean that only the `Last-Event-ID` of a GET was refused.
fn may_be_of_the_id(status: StatusCode) -> bool {
    let of_others = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
    ];
    status.is_client_error() && !open::is_transient(status) && !of_others.contains(&status)
}

impl Stream for Listening {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // This registers the waker, which is also woken when the turn is passed on.
        let end = match self.ticket.fate(cx) {
            Fate::Open(Phase::Lost) => Some(Err(CallError::unknown(Reason::SessionEnded))),
            Fate::Open(phase) => {
                // Checked under the lock: a newer listener with the turn has registered its waker in the stream by then.
                let mut standing = self.standing();
                if !self.ticket.session.has_turn(self.number) {
                    return Poll::Pending;
                }
                match ready!(standing.poll_stage(cx, phase)) {
                    Some(message) => return Poll::Ready(Some(Ok(message))),
                    None => Some(Err(CallError::unknown(Reason::SessionEnded))),
                }
            }
            Fate::Cancelled | Fate::Closed => None,
        };
        self.is_over = true;
        Poll::Ready(end)
    }
}

impl Drop for Listening {
    /// Lets the session's next listener continue where this one stopped, with the stream itself if there is such a listener already.
    fn drop(&mut self) {
        let session = &self.ticket.session;
        if session.leave(self.number) {
            session.release();
            if let Some(id) = self.standing().last_event_id() {
                session.keep_last_event_id(id);
            }
        }
    }
}

//! Response bodies that are event streams.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossway_proto::sse::SseEncoder;
use crossway_proto::{Message, Slices};
use crossway_service::{Reason, Reply};
use futures_core::Stream;

use super::body::next_slice;
use super::endpoint::Endpoint;
use super::exchange::{Exchange, Exchanging, Step};
use super::keep_alive::KeepAlive;
use super::session::{Session, Ticket, frame};
use super::stop::Watch;

/// Messages as events, with keep-alive comments while there are none.
pub(crate) struct EventStream {
    /// The frames that go out next.
    frames: VecDeque<Slices>,
    source: Source,
    /// The stream's place in its session.
    place: Option<Place>,
    keep_alive: KeepAlive,
    is_over: bool,
}

/// The source of the messages.
enum Source {
    /// The reply to a POST, until another reader resumes the stream.
    Call(Arc<Exchanging>, Option<Watch>),
    /// Messages outside calls.
    Standing(Option<Reply>, Watch, Arc<Endpoint>),
    /// Kept messages of the reply to a POST, and those still added to them.
    Kept,
    /// No source any more.
    Nothing,
}

impl Source {
    fn fall_silent(&mut self) {
        if let Self::Standing(reply, ..) = self {
            *reply = None;
        }
    }
}

/// A stream's place in its session.
struct Place {
    session: Arc<Session>,
    ticket: Ticket,
}

impl EventStream {
    /// The answer to a POST; `first` are the messages so far, the oldest first.
    pub(crate) fn call(mut exchange: Exchange, first: &[Message]) -> Self {
        let session = exchange.session().map(Arc::clone);
        let place = session.map(|session| {
            let ticket = session.streams().open(super::session::StreamKind::Call);
            Place { session, ticket }
        });
        exchange.ticket = place.as_ref().map(|place| place.ticket);
        let watch = exchange.asked.is_subscription().then(|| Watch::new(&exchange.endpoint.stop));
        if watch.is_some() {
            // It is answered when the endpoint is drained, which is before it is closed.
            exchange.cut_off = None;
        }
        let period = exchange.endpoint.limits.keep_alive;
        let exchanging = Arc::new(Exchanging::new(exchange));
        if let Some(place) = &place {
            place.session.streams().feed(place.ticket, &exchanging);
        }
        let mut this = Self::new(Source::Call(exchanging, watch), place, period);
        this.prime();
        first.iter().for_each(|message| this.push(message));
        this
    }

    /// The answer to a GET: messages outside calls, after those that the client has missed. A new stream, other than a resumed one, is
    /// primed.
    pub(crate) fn standing(
        endpoint: &Arc<Endpoint>,
        session: Arc<Session>,
        ticket: Ticket,
        is_new: bool,
        reply: Reply,
    ) -> Self {
        let period = session.limits().keep_alive;
        let source = Source::Standing(Some(reply), Watch::new(&endpoint.stop), Arc::clone(endpoint));
        let mut this = Self::new(source, Some(Place { session, ticket }), period);
        if is_new {
            this.prime();
        }
        this
    }

    /// The answer to a GET that resumes the answer to a POST.
    pub(crate) fn resumed(session: Arc<Session>, ticket: Ticket) -> Self {
        let period = session.limits().keep_alive;
        Self::new(Source::Kept, Some(Place { session, ticket }), period)
    }

    /// A stream that ends at once: the answer to a request that its client has cancelled.
    pub(crate) fn ended(period: std::time::Duration) -> Self {
        let mut this = Self::new(Source::Nothing, None, period);
        this.is_over = true;
        this
    }

    fn new(source: Source, place: Option<Place>, period: std::time::Duration) -> Self {
        Self { frames: VecDeque::new(), source, place, keep_alive: KeepAlive::new(period), is_over: false }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over && self.frames.is_empty()
    }

    /// Sends the client an event id to reconnect with if the stream breaks before its first message.
    fn prime(&mut self) {
        let Some(place) = self.place.as_ref().filter(|place| place.session.primes_streams()) else { return };
        let retry = place.session.limits().retry.as_millis();
        let retry = u64::try_from(retry).unwrap_or(u64::MAX);
        if let Ok(event) = SseEncoder::priming(&place.ticket.priming().to_string(), Some(retry)) {
            self.frames.push_back(std::iter::once(event).collect());
        }
    }

    /// Queues a message after the waiting ones.
    fn push(&mut self, message: &Message) {
        self.frames.extend(frame_for(self.place.as_ref(), message));
    }

    /// Polls for the next bytes; `None` at the end.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            while let Some(frame) = self.frames.front_mut() {
                if let Some(data) = next_slice(frame) {
                    self.keep_alive.sent();
                    return Poll::Ready(Some(data));
                }
                self.frames.pop_front();
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            if self.poll_source(cx).is_pending() {
                if self.keep_alive.poll_due(cx).is_pending() {
                    return Poll::Pending;
                }
                self.frames.push_back(std::iter::once(SseEncoder::keep_alive()).collect());
            }
        }
    }

    /// Ready when there is a frame, or the stream is over.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Checked first, so that a replaced reader takes nothing more from the source.
        if self.poll_kept(cx).is_ready() {
            return Poll::Ready(());
        }
        match &mut self.source {
            Source::Call(exchanging, _) => {
                // Locked until the message has its place, so that nobody who resumes the stream gets the next one earlier.
                let mut exchange = exchanging.lock();
                match exchange.as_mut().map(|exchange| exchange.poll_step(cx)) {
                    Some(Poll::Ready(step)) => {
                        let (message, is_last) = message_of(exchange.as_ref(), step);
                        let frame = message.and_then(|message| frame_for(self.place.as_ref(), &message));
                        drop(exchange);
                        self.frames.extend(frame);
                        if is_last {
                            self.finish();
                        }
                        return Poll::Ready(());
                    }
                    Some(Poll::Pending) => {}
                    None => self.is_over = true,
                }
            }
            Source::Standing(Some(reply), _, endpoint) => match Pin::new(&mut *reply).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    self.push(&message);
                    return Poll::Ready(());
                }
                Poll::Ready(Some(Err(error))) => {
                    // The client would reopen the stream each second, and keep an ended session. 404 tells it to begin a new one.
                    if let (Reason::SessionEnded, Some(place)) = (error.reason(), &self.place) {
                        endpoint.lose_session(&place.session);
                    }
                    self.finish();
                    return Poll::Ready(());
                }
                // The upstream has no messages outside calls. The stream is held open, as the client would reconnect each second if it
                // ended.
                Poll::Ready(None) => self.source.fall_silent(),
                Poll::Pending => {}
            },
            Source::Standing(None, ..) | Source::Kept => {}
            Source::Nothing => self.is_over = true,
        }
        if self.is_over || self.is_to_end(cx) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Ready with a kept message that the client has not been sent, or when another request has resumed the stream. The exchange
    /// dropped then continues in the background, if it is a call in a session.
    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(place) = &self.place else { return Poll::Pending };
        let next = place.session.streams().poll_next(place.ticket, cx);
        match std::task::ready!(next) {
            Some(frame) => self.frames.push_back(frame),
            None => self.stop(),
        }
        Poll::Ready(())
    }

    /// Whether the stream has to end before its source: it is asked to close, or the endpoint is drained. If not, wakes `cx` when
    /// that changes.
    fn is_to_end(&mut self, cx: &mut Context<'_>) -> bool {
        let is_stopped = match &mut self.source {
            Source::Call(_, Some(watch)) | Source::Standing(_, watch, _) => watch.poll_stopped(cx),
            _ => false,
        };
        let is_closed = self.of_exchange(|exchange| Some(exchange.control.as_ref()?.poll_closed(cx)));
        let is_closed = is_closed == Some(true) && self.can_be_taken_up();
        if is_stopped {
            self.end_subscription();
        }
        if is_stopped || is_closed {
            self.stop();
        }
        self.is_over
    }

    fn of_exchange<T>(&self, what: impl FnOnce(&Exchange) -> Option<T>) -> Option<T> {
        let Source::Call(exchanging, _) = &self.source else { return None };
        exchanging.lock().as_ref().and_then(what)
    }

    /// Sends nothing more. A call in a session continues in the background.
    fn stop(&mut self) {
        self.source = Source::Nothing;
        self.is_over = true;
    }

    /// Whether the client has an event id to reconnect with.
    fn can_be_taken_up(&self) -> bool {
        self.place.as_ref().is_some_and(|place| {
            place.session.primes_streams() || place.session.streams().has_events(place.ticket)
        })
    }

    /// Answers a subscription when the endpoint ends it: "the server **SHOULD** send a response to the
    /// `subscriptions/listen` request" (2026-07-28, basic/patterns/subscriptions).
    fn end_subscription(&mut self) {
        let Some(id) = self.of_exchange(|exchange| exchange.asked.id().cloned()) else { return };
        let head: &[u8] = br#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"#;
        let result = [head, id.as_json(), b"}}"].concat();
        if let Ok(response) = Message::result_of(&id, &result) {
            self.push(&response);
        }
    }

    /// Ends the stream: no more messages come.
    fn finish(&mut self) {
        self.is_over = true;
        if let Some(place) = &self.place {
            place.session.streams().finish(place.ticket.stream);
        }
    }
}

/// The message of a step, and whether it is the last one.
fn message_of(exchange: Option<&Exchange>, step: Step) -> (Option<Message>, bool) {
    match step {
        Step::Interim(message) => (Some(message), false),
        Step::Response(message) => (Some(message), exchange.is_none_or(Exchange::is_over)),
        Step::Failed(error) => {
            let id = exchange.and_then(|exchange| exchange.asked.id());
            (Some(error.to_message(id)), true)
        }
        Step::Ended => (None, true),
    }
}

/// The frame of a message for the reader at that place; `None` if another reader gets it.
fn frame_for(place: Option<&Place>, message: &Message) -> Option<Slices> {
    match place {
        Some(place) => place.session.streams().push_read(place.ticket, message),
        None => Some(frame(None, message)),
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.session.streams().leave(place.ticket);
        }
    }
}

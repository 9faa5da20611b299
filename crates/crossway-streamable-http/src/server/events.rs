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

/// Messages as events, with comments in between when there is nothing to say.
pub(crate) struct EventStream {
    /// What goes out next.
    frames: VecDeque<Slices>,
    source: Source,
    /// The stream's place in its session.
    place: Option<Place>,
    keep_alive: KeepAlive,
    is_over: bool,
}

/// Where the messages come from.
enum Source {
    /// The reply to a POST, until somebody else takes the stream up.
    Call(Arc<Exchanging>, Option<Watch>),
    /// What belongs to no call.
    Standing(Option<Reply>, Watch, Arc<Endpoint>),
    /// What is kept of the reply to a POST, and what is still added to that.
    Kept,
    /// Nowhere any more.
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
    /// The answer to a POST; `first` is what made it a stream, the oldest first.
    pub(crate) fn call(mut exchange: Exchange, first: &[Message]) -> Self {
        let session = exchange.session().map(Arc::clone);
        let place = session.map(|session| {
            let ticket = session.streams().open(super::session::StreamKind::Call);
            Place { session, ticket }
        });
        exchange.ticket = place.as_ref().map(|place| place.ticket);
        let watch = exchange.asked.is_subscription().then(|| Watch::new(&exchange.endpoint.stop));
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

    /// The answer to a GET: what is said outside calls, behind what the client has missed of it. A stream that is not
    /// taken up but new is primed.
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

    /// The answer to a GET that takes up the answer to a POST.
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

    /// Gives the client what it needs to come back if the stream breaks before its first message.
    fn prime(&mut self) {
        let Some(place) = self.place.as_ref().filter(|place| place.session.primes_streams()) else { return };
        let retry = place.session.limits().retry.as_millis();
        let retry = u64::try_from(retry).unwrap_or(u64::MAX);
        if let Ok(event) = SseEncoder::priming(&place.ticket.priming().to_string(), Some(retry)) {
            self.frames.push_back(std::iter::once(event).collect());
        }
    }

    /// Puts a message behind those that wait to go out.
    fn push(&mut self, message: &Message) {
        self.frames.extend(framed(self.place.as_ref(), message));
    }

    /// The next bytes; `None` at the end.
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

    /// Ready when there is a frame, or no more.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Asked first, so that one who was replaced takes nothing more from the source.
        if self.poll_kept(cx).is_ready() {
            return Poll::Ready(());
        }
        match &mut self.source {
            Source::Call(exchanging, _) => {
                // Held until the message has its place, so that nobody who takes the stream up gets the next one before.
                let mut exchange = exchanging.lock();
                match exchange.as_mut().map(|exchange| exchange.poll_step(cx)) {
                    Some(Poll::Ready(step)) => {
                        let (message, is_last) = taken(exchange.as_ref(), step);
                        let frame = message.and_then(|message| framed(self.place.as_ref(), &message));
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
                    // Its client would open it again each second, and keep a session that is no more. 404 tells it to begin a new one.
                    if let (Reason::SessionEnded, Some(place)) = (error.reason(), &self.place) {
                        endpoint.end_session(&place.session);
                    }
                    self.finish();
                    return Poll::Ready(());
                }
                // The upstream has nothing to say outside calls. The client would come back each second if the
                // stream ended, so it is held open.
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

    /// Ready when something is kept that the client has not been sent, or when the stream was taken up by another
    /// request. What is dropped then goes on in the background, if it is a call.
    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(place) = &self.place else { return Poll::Pending };
        let next = place.session.streams().poll_next(place.ticket, cx);
        match std::task::ready!(next) {
            Some(frame) => self.frames.push_back(frame),
            None => self.stop(),
        }
        Poll::Ready(())
    }

    /// Whether the stream has to end though its source has not: it is asked to close, or the endpoint is drained. If
    /// not, `cx` is woken when that changes.
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

    /// Sends nothing more. A call in a session goes on in the background.
    fn stop(&mut self) {
        self.source = Source::Nothing;
        self.is_over = true;
    }

    /// Whether the client has an event id to come back with.
    fn can_be_taken_up(&self) -> bool {
        self.place.as_ref().is_some_and(|place| {
            place.session.primes_streams() || place.session.streams().has_events(place.ticket)
        })
    }

    /// Answers a subscription that the endpoint ends: "the server **SHOULD** send a response to the
    /// `subscriptions/listen` request" (2026-07-28, basic/patterns/subscriptions).
    fn end_subscription(&mut self) {
        let Some(id) = self.of_exchange(|exchange| exchange.asked.id().cloned()) else { return };
        let head: &[u8] = br#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"#;
        let result = [head, id.as_json(), b"}}"].concat();
        if let Ok(response) = Message::result_of(&id, &result) {
            self.push(&response);
        }
    }

    /// Nothing more comes.
    fn finish(&mut self) {
        self.is_over = true;
        if let Some(place) = &self.place {
            place.session.streams().finish(place.ticket.stream);
        }
    }
}

/// The message that a step gives, and whether nothing comes after it.
fn taken(exchange: Option<&Exchange>, step: Step) -> (Option<Message>, bool) {
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

/// A message as the reader at that place gets it; `None` if another one does.
fn framed(place: Option<&Place>, message: &Message) -> Option<Slices> {
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

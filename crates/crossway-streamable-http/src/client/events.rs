//! Reads messages from an event stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crossway_proto::sse::{self, SseDecoder};
use crossway_proto::{Incoming, Message, RequestId};
use tokio::time::Instant;

use super::answer;
use super::http::{BodyError, ResponseBody};
use super::session::Session;

/// An event stream that is being read.
pub(super) struct Events {
    session: Arc<Session>,
    body: ResponseBody,
    decoder: SseDecoder,
    /// The rest of a batch.
    batch: VecDeque<Message>,
    opened: Instant,
    /// Whether any event came on this connection.
    pub(super) has_events: bool,
}

/// What an event stream gives.
pub(super) enum Event {
    Message(Message),
    /// The event that makes a stream one of HTTP+SSE (2024-11-05).
    Endpoint,
    /// An event has more bytes than allowed, and is lost.
    TooLarge(sse::EventTooLarge),
    /// The connection has ended, by an error or without one.
    Ended(Option<BodyError>),
}

impl Events {
    pub(super) fn new(session: Arc<Session>, body: ResponseBody, decoder: SseDecoder) -> Self {
        Self { session, body, decoder, batch: VecDeque::new(), opened: Instant::now(), has_events: false }
    }

    /// The next message. What is no message is counted and skipped.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(message) = self.batch.pop_front() {
                return Poll::Ready(Event::Message(message));
            }
            match self.decoder.next_event() {
                Err(too_large) => return Poll::Ready(Event::TooLarge(too_large)),
                Ok(Some(event)) => {
                    self.has_events = true;
                    if event.event == sse::ENDPOINT {
                        return Poll::Ready(Event::Endpoint);
                    }
                    // An event with an id and no data primes the stream (2025-11-25, basic/transports).
                    if event.event == sse::MESSAGE && !event.data.is_empty() {
                        self.read(event.data);
                    }
                }
                Ok(None) => match ready!(self.body.poll_data(cx)) {
                    Some(Ok(data)) => self.decoder.feed(data),
                    end => return Poll::Ready(Event::Ended(end.and_then(Result::err))),
                },
            }
        }
    }

    fn read(&mut self, data: bytes::Bytes) {
        match Incoming::parse(data, &self.session.shared.limits.message) {
            Ok(Incoming::One(message)) => self.batch.push_back(message),
            Ok(Incoming::Batch(messages)) if self.session.allows_batches() => self.batch.extend(messages),
            Ok(Incoming::Batch(_)) => self.session.shared.stray("a batch, which its revision does not allow"),
            Err(error) => self.session.shared.stray(&error.to_string()),
        }
    }

    /// Waits for the answer to a request of our own; what comes before it is of no interest.
    pub(super) async fn answer_to(mut self, id: &RequestId) -> Option<Message> {
        loop {
            match std::future::poll_fn(|cx| self.poll_next(cx)).await {
                Event::Message(message) => {
                    if let Ok(answer) = answer::to_answer(message, id) {
                        self.let_go();
                        return Some(answer);
                    }
                }
                Event::Endpoint => {}
                Event::TooLarge(_) | Event::Ended(_) => return None,
            }
        }
    }

    /// Whether the stream was of use: its loss is not the next in a row of failures.
    pub(super) fn was_good(&self, lived: std::time::Duration) -> bool {
        self.has_events || self.opened.elapsed() >= lived
    }

    /// The id of the last event, by which the stream can be taken up again.
    pub(super) fn last_event_id(&self) -> Option<&[u8]> {
        self.decoder.last_event_id()
    }

    /// What is left of a stream that has ended: where it was, and how long to wait.
    pub(super) fn into_decoder(mut self) -> SseDecoder {
        self.decoder.finish();
        self.decoder
    }

    /// The answer has been read. What is here already is looked at; what comes later is not waited for.
    pub(super) fn let_go(mut self) {
        while let Ok(Some(event)) = self.decoder.next_event() {
            if event.event == sse::MESSAGE && !event.data.is_empty() {
                self.session.shared.stray("a message after the answer");
            }
        }
        self.body.let_go();
    }
}

//! Reads messages from an event stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_proto::peek::{self, Head};
use crossway_proto::sse::{self, SseDecoder};
use crossway_proto::{Incoming, Message, ParseError, RequestId};
use tokio::time::Instant;

use super::answer;
use super::http::{BodyError, ResponseBody};
use super::limits;
use super::session::Session;

/// An event stream that is being read.
pub(super) struct Events {
    session: Arc<Session>,
    body: ResponseBody,
    decoder: SseDecoder,
    /// The rest of a batch.
    batch: VecDeque<Message>,
    opened: Instant,
    /// Whether a message came on this connection that was handed on, or an event that only primes the stream.
    is_useful: bool,
}

/// An item of an event stream.
pub(super) enum Event {
    Message(Message),
    /// An event whose data is no message, and why.
    Unreadable(Bytes, ParseError),
    /// The `endpoint` event, which shows that a stream is HTTP+SSE (2024-11-05).
    Endpoint,
    /// An event was too large, and is lost.
    TooLarge(sse::EventTooLarge),
    /// The connection has ended, with or without an error.
    Ended(Option<BodyError>),
}

impl Events {
    pub(super) fn new(session: Arc<Session>, body: ResponseBody, decoder: SseDecoder) -> Self {
        Self { session, body, decoder, batch: VecDeque::new(), opened: Instant::now(), is_useful: false }
    }

    /// Polls for the next event that matters.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(message) = self.batch.pop_front() {
                return Poll::Ready(Event::Message(message));
            }
            match self.decoder.next_event() {
                Err(too_large) => return Poll::Ready(Event::TooLarge(too_large)),
                Ok(Some(event)) => {
                    if event.event == sse::ENDPOINT {
                        return Poll::Ready(Event::Endpoint);
                    }
                    if event.event != sse::MESSAGE {
                        continue;
                    }
                    // An event with an id and no data primes the stream (2025-11-25, basic/transports).
                    if event.data.is_empty() {
                        self.is_useful = true;
                    } else if let Err(error) = self.read(event.data.clone()) {
                        return Poll::Ready(Event::Unreadable(event.data, error));
                    }
                }
                Ok(None) => match ready!(self.body.poll_data(cx)) {
                    Some(Ok(data)) => self.decoder.feed(data),
                    end => return Poll::Ready(Event::Ended(end.and_then(Result::err))),
                },
            }
        }
    }

    fn read(&mut self, data: Bytes) -> Result<(), ParseError> {
        match Incoming::parse(data, &self.session.shared.limits.message)? {
            Incoming::One(message) => self.batch.push_back(message),
            Incoming::Batch(messages) if self.session.allows_batches() => self.batch.extend(messages),
            Incoming::Batch(_) => self.session.shared.stray("a batch, which its revision does not allow"),
        }
        Ok(())
    }

    /// Waits for the answer to a request of this client, and ignores everything before it.
    pub(super) async fn answer_to(mut self, id: &RequestId) -> Option<Message> {
        loop {
            match std::future::poll_fn(|cx| self.poll_next(cx)).await {
                Event::Message(message) => {
                    if let Ok(answer) = answer::to_answer(message, id) {
                        self.let_go();
                        return Some(answer);
                    }
                }
                Event::Unreadable(text, _) if may_answer(&text, id) => return None,
                Event::Unreadable(..) | Event::Endpoint => {}
                Event::TooLarge(_) | Event::Ended(_) => return None,
            }
        }
    }

    /// Records that a message of the stream was handed on.
    pub(super) fn note_use(&mut self) {
        self.is_useful = true;
    }

    /// Whether the stream was useful, so that its end does not count as another failure in a row.
    pub(super) fn was_good(&self, lived: std::time::Duration) -> bool {
        self.is_useful || self.opened.elapsed() >= lived
    }

    /// The id of the last event, with which the stream can be resumed.
    pub(super) fn last_event_id(&self) -> Option<&[u8]> {
        self.decoder.last_event_id()
    }

    /// Returns the decoder of a stream that has ended, which has the last event id and the time to wait.
    pub(super) fn into_decoder(mut self) -> SseDecoder {
        self.decoder.finish();
        self.decoder
    }

    /// Releases the stream after the answer. Counts messages that are there already, but does not wait for more.
    pub(super) fn let_go(mut self) {
        while let Ok(Some(event)) = self.decoder.next_event() {
            if event.event == sse::MESSAGE && !event.data.is_empty() {
                self.session.shared.stray("a message after the answer");
            }
        }
        self.body.let_go();
    }
}

/// Whether a text that is no message seems to be the answer to the request `id`, which would wait for another one in vain.
pub(super) fn may_answer(text: &[u8], id: &RequestId) -> bool {
    match peek::head(&text[..text.len().min(limits::PEEKED)]) {
        Head::Answer(found) => found == *id,
        Head::Unknown => peek::tail(text).is_some_and(|found| found == *id),
        Head::Asked(_) | Head::Noise => false,
    }
}

//! A session's streams, and the events kept for resuming them.
//!
//! A state machine behind the session's lock: a sender puts messages in and gets frames back, a resuming reader takes the frames
//! out again. Time is measured in ticks of the sweeper.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use crossway_proto::sse::SseEncoder;
use crossway_proto::{Message, Slices};
use crossway_service::{SessionLimiter, SessionOwner, SessionPermit, WakerSlot};

use super::event_id::{EventId, StreamKind};
use super::store::{Common, place};
use crate::server::exchange::Exchanging;
use crate::server::limits::{FLATTEN, OWNERS};

/// The streams of one session.
pub(crate) struct Streams {
    next: u32,
    streams: Vec<Stream>,
    /// The events of all streams, in the order in which they were sent.
    events: VecDeque<Event>,
    bytes: usize,
    /// The kept bytes of all sessions of the same owner.
    of_owner: Option<Arc<AtomicUsize>>,
    common: Arc<Common>,
}

struct Stream {
    number: u32,
    kind: StreamKind,
    /// How often the stream was resumed. A reader with an older count has been replaced.
    taken_up: u32,
    /// The number of the newest event.
    newest: u32,
    /// The newest event that its present reader has got.
    read: u32,
    has_reader: bool,
    /// The reader's place among its caller's sessions, if it is a standing stream beside the one that the session's own place is for.
    place: Option<SessionPermit>,
    /// Whether no more messages come.
    is_over: bool,
    touched: u32,
    reader: WakerSlot,
    writer: WakerSlot,
    /// The exchange that feeds the first reader.
    feed: Weak<Exchanging>,
}

struct Event {
    stream: u32,
    number: u32,
    frame: Slices,
}

/// The right to read a stream, until another reader resumes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) kind: StreamKind,
    pub(crate) stream: u32,
    taken_up: u32,
}

impl Streams {
    pub(super) fn new(common: Arc<Common>, owner: Option<&SessionOwner>) -> Self {
        let of_owner = owner.map(|owner| common.kept_of(owner));
        Self { next: 1, streams: Vec::new(), events: VecDeque::new(), bytes: 0, of_owner, common }
    }

    /// Numbers streams from `first` on, so that event ids of another process match none of them.
    pub(super) fn number_from(&mut self, first: u32) {
        self.next = first;
    }

    /// Opens a stream. When there are too many standing streams, the oldest is closed.
    pub(crate) fn open(&mut self, kind: StreamKind) -> Ticket {
        if kind == StreamKind::Standing {
            self.make_room(self.common.limits.standing_streams);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let stream = Stream {
            number,
            kind,
            taken_up: 0,
            newest: 0,
            read: 0,
            has_reader: true,
            place: None,
            is_over: false,
            touched: self.common.now(),
            reader: WakerSlot::default(),
            writer: WakerSlot::default(),
            feed: Weak::new(),
        };
        self.streams.push(stream);
        Ticket { kind, stream: number, taken_up: 0 }
    }

    fn make_room(&mut self, most: usize) {
        let open = |stream: &&mut Stream| stream.kind == StreamKind::Standing && stream.has_reader;
        let count = self.streams.iter_mut().filter(open).count();
        for stream in self.streams.iter_mut().filter(open).take((count + 1).saturating_sub(most)) {
            stream.replace_reader();
            stream.has_reader = false;
            stream.place = None;
            stream.writer.wake();
        }
    }

    /// Gives the reader of a standing stream its place: the session's own, if no other stream has it, or else one of the caller's share.
    /// `false` if that is used up; the reader is gone then.
    pub(crate) fn seat(&mut self, ticket: Ticket, share: Option<&SessionLimiter>) -> bool {
        let is_in_own_place = |stream: &Stream| {
            stream.kind == StreamKind::Standing && stream.has_reader && stream.place.is_none()
        };
        let is_own = |stream: &Stream| stream.number == ticket.stream;
        let is_seated = self.streams.iter().any(|stream| is_own(stream) && stream.place.is_some());
        let is_taken = self.streams.iter().any(|stream| !is_own(stream) && is_in_own_place(stream));
        if is_seated || !is_taken {
            return true;
        }
        let Ok(place) = place(share) else {
            self.leave(ticket);
            return false;
        };
        if let Some(stream) = self.find(ticket.stream) {
            stream.place = place;
        }
        true
    }

    /// Resumes a stream after an event; the present reader, if there is one, is replaced.
    ///
    /// `None` when the stream is not known any more. Also returns the first reader's exchange, which has to be
    /// [let go](Exchanging::let_go) after the streams are unlocked: a connection that is stuck in writing does not do so.
    pub(crate) fn take_up(&mut self, last: EventId) -> Option<(Ticket, Option<Arc<Exchanging>>)> {
        let now = self.common.now();
        let stream = self.find(last.stream).filter(|stream| stream.kind == last.kind)?;
        if last.number > stream.newest {
            return None;
        }
        stream.replace_reader();
        stream.has_reader = true;
        // A standing stream gets a new source with its reader.
        stream.is_over &= stream.kind == StreamKind::Call;
        stream.read = last.number;
        stream.touched = now;
        let ticket = Ticket { kind: stream.kind, stream: stream.number, taken_up: stream.taken_up };
        Some((ticket, std::mem::take(&mut stream.feed).upgrade()))
    }

    /// Sets the exchange that a stream's messages come from.
    pub(crate) fn feed(&mut self, ticket: Ticket, feed: &Arc<Exchanging>) {
        if let Some(stream) = self.find(ticket.stream) {
            stream.feed = Arc::downgrade(feed);
        }
    }

    /// Keeps a message for the stream's reader.
    pub(crate) fn push(&mut self, number: u32, message: &Message) {
        let now = self.common.now();
        let Some(stream) = self.find(number) else { return };
        stream.newest += 1;
        stream.touched = now;
        let id = EventId { kind: stream.kind, stream: number, number: stream.newest };
        stream.reader.wake();
        let frame = frame(Some(id), message);
        self.bytes += frame.len();
        self.common.kept_bytes.fetch_add(frame.len(), Ordering::Relaxed);
        if let Some(of_owner) = &self.of_owner {
            of_owner.fetch_add(frame.len(), Ordering::Relaxed);
        }
        self.events.push_back(Event { stream: number, number: id.number, frame });
        self.evict();
    }

    /// Keeps a message that the stream's reader has got, and returns its frame; `None` when another reader has resumed the stream,
    /// which then gets the message.
    pub(crate) fn push_read(&mut self, ticket: Ticket, message: &Message) -> Option<Slices> {
        let Some(stream) = self.find(ticket.stream) else { return Some(frame(None, message)) };
        let is_read = stream.is_read_by(ticket) && stream.read == stream.newest;
        if is_read {
            // Set before the message is kept, so that it does not count as unsent.
            stream.read = stream.newest + 1;
        }
        self.push(ticket.stream, message);
        let stream = self.find(ticket.stream).filter(|_| is_read)?;
        let id = EventId { kind: stream.kind, stream: ticket.stream, number: stream.newest };
        match self.events.back() {
            Some(event) if event.stream == ticket.stream && event.number == id.number => {
                Some(event.frame.clone())
            }
            // There was no room to keep it.
            _ => Some(frame(Some(id), message)),
        }
    }

    fn evict(&mut self) {
        let limits = self.common.limits;
        let is_over = |this: &Self| {
            this.events.len() > limits.kept_events.max(1)
                || this.events.len() > 1 && this.bytes > limits.kept_bytes
                || this.common.kept_bytes.load(Ordering::Relaxed) > limits.kept_bytes_in_all
                // An owner who fills the common room loses events, not the next sender.
                || this.of_owner.as_ref().is_some_and(|of_owner| {
                    of_owner.load(Ordering::Relaxed) > limits.kept_bytes_in_all / OWNERS
                })
        };
        while !self.events.is_empty() && is_over(self) {
            // Events that a present reader has yet to get are dropped last.
            let is_due = |event: &Event| {
                let of_event = |stream: &&Stream| stream.number == event.stream;
                self.streams
                    .iter()
                    .find(of_event)
                    .is_some_and(|stream| stream.has_reader && event.number > stream.read)
            };
            let at = self.events.iter().position(|event| !is_due(event)).unwrap_or_default();
            if let Some(event) = self.events.remove(at) {
                self.forget_bytes(event.frame.len());
                if let Some(stream) = self.find(event.stream) {
                    stream.writer.wake();
                }
            }
        }
    }

    fn forget_bytes(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.common.kept_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(of_owner) = &self.of_owner {
            of_owner.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Polls for the reader's next frame: `None` once there is no more, or when the reader was replaced.
    pub(crate) fn poll_next(&mut self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<Option<Slices>> {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.is_read_by(ticket)) else {
            return Poll::Ready(None);
        };
        if stream.read < stream.newest {
            let unread =
                self.events.iter().find(|event| event.stream == ticket.stream && event.number > stream.read);
            if let Some(event) = unread {
                stream.read = event.number;
                stream.writer.wake();
                return Poll::Ready(Some(event.frame.clone()));
            }
            // The rest is no longer kept.
            stream.read = stream.newest;
        }
        if stream.is_over {
            return Poll::Ready(None);
        }
        stream.reader.register(cx.waker());
        Poll::Pending
    }

    /// Whether a stream has had an event with a message.
    pub(crate) fn has_events(&mut self, ticket: Ticket) -> bool {
        self.find(ticket.stream).is_some_and(|stream| stream.newest > 0)
    }

    /// Ready when a message may be pushed: when nobody reads, since the oldest event is dropped then, or when the reader
    /// keeps up.
    pub(crate) fn poll_room(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<()> {
        let limits = &self.common.limits;
        let Some(stream) =
            self.streams.iter_mut().find(|stream| stream.number == number && stream.has_reader)
        else {
            return Poll::Ready(());
        };
        let unread = self.events.iter().filter(|event| event.stream == number && event.number > stream.read);
        let (count, bytes) =
            unread.fold((0, 0), |(count, bytes), event| (count + 1, bytes + event.frame.len()));
        if count >= limits.kept_events.div_ceil(2) || bytes >= limits.kept_bytes.div_ceil(2).max(1) {
            stream.writer.register(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Marks a stream as finished: no more messages come.
    pub(crate) fn finish(&mut self, number: u32) {
        let now = self.common.now();
        if let Some(stream) = self.find(number) {
            stream.is_over = true;
            stream.touched = now;
            stream.reader.wake();
        }
        self.forget_spent();
    }

    /// Records that a reader has gone away.
    pub(crate) fn leave(&mut self, ticket: Ticket) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.is_read_by(ticket)) {
            stream.has_reader = false;
            stream.place = None;
            stream.reader = WakerSlot::default();
            stream.writer.wake();
        }
        self.forget_spent();
    }

    /// Drops events that were kept long enough.
    pub(crate) fn sweep(&mut self, kept_ticks: u32) {
        let now = self.common.now();
        let is_stale = |stream: &Stream| {
            !stream.has_reader
                && (stream.is_over || stream.kind == StreamKind::Standing)
                && now.wrapping_sub(stream.touched) > kept_ticks
        };
        if !self.streams.iter().any(is_stale) {
            return;
        }
        let mut freed = 0;
        let streams = &self.streams;
        self.events.retain(|event| {
            let is_kept = streams.iter().any(|stream| stream.number == event.stream && !is_stale(stream));
            freed += if is_kept { 0 } else { event.frame.len() };
            is_kept
        });
        self.forget_bytes(freed);
        self.events.shrink_to_fit();
        self.forget_spent();
    }

    /// Ends the session's standing streams. Calls end with their replies, which give the reason.
    pub(crate) fn end(&mut self) {
        for stream in self.streams.iter_mut().filter(|stream| stream.kind == StreamKind::Standing) {
            stream.is_over = true;
            stream.replace_reader();
        }
    }

    /// Forgets streams that nobody can resume: they are read to their end, or have no events.
    fn forget_spent(&mut self) {
        let events = &self.events;
        self.streams.retain(|stream| {
            stream.has_reader
                || !stream.is_over && stream.kind == StreamKind::Call
                || events.iter().any(|event| event.stream == stream.number)
        });
        if self.streams.is_empty() {
            self.streams = Vec::new();
        }
    }

    fn find(&mut self, number: u32) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.number == number)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.forget_bytes(self.bytes);
    }
}

impl Stream {
    fn is_read_by(&self, ticket: Ticket) -> bool {
        self.number == ticket.stream && self.taken_up == ticket.taken_up
    }

    fn replace_reader(&mut self) {
        self.taken_up = self.taken_up.wrapping_add(1);
        self.reader.wake();
    }
}

impl Ticket {
    /// The id of the priming event, with which the client can resume the stream.
    pub(crate) fn priming(self) -> EventId {
        EventId { kind: self.kind, stream: self.stream, number: 0 }
    }
}

/// The frame of a message.
pub(crate) fn frame(id: Option<EventId>, message: &Message) -> Slices {
    let frame = match id.and_then(|id| SseEncoder::new().event("message").ok()?.id(&id.to_string()).ok()) {
        Some(event) => event.data(message.chunks()),
        None => SseEncoder::message(message.chunks()),
    };
    // Small frames are cheaper in one piece, and do not keep the buffers of their message alive.
    if frame.len() <= FLATTEN { std::iter::once(frame.into_bytes()).collect() } else { frame }
}

#[cfg(test)]
mod tests;

//! Serves one client: reads lines, runs a pump, writes lines.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossway_proto::line::LineDecoder;
use crossway_proto::{
    ErrorCode, ErrorObject, Incoming, Limits, Message, Outcome, ParseError, RequestId, Revision,
};
use crossway_service::{Pump, later};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Served;
use super::batches::Batches;
use crate::ServeOptions;
use crate::fill::poll_fill;
use crate::limits::{UNREAD_REFUSALS, UNWRITTEN_BYTES};
use crate::queue::{Line, Queue};

pub(super) struct Serving<R, W> {
    reader: R,
    writer: W,
    limits: Limits,
    lines: LineDecoder,
    pump: Pump,
    batches: Batches,
    /// Listen requests in flight. They end when they are cancelled.
    listening: Vec<RequestId>,
    out: Queue,
    is_flushed: bool,
    /// The bytes of our own refusals since everything was last written.
    refusals: usize,
    /// The client has closed its side; some of its lines may still have to be handled.
    has_ended: bool,
    state: State,
    drain: std::time::Duration,
}

enum State {
    Open,
    /// The client says no more.
    Leaving(Pin<Box<Sleep>>),
    /// The upstream has ended: the remaining output is written.
    Ending(Pin<Box<Sleep>>),
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Serving<R, W> {
    pub(super) fn new(reader: R, writer: W, pump: Pump, options: ServeOptions) -> Self {
        Self {
            reader,
            writer,
            limits: options.message,
            lines: LineDecoder::new(options.message.message_bytes),
            pump,
            batches: Batches::default(),
            listening: Vec::new(),
            out: Queue::default(),
            is_flushed: true,
            refusals: 0,
            has_ended: false,
            state: State::Open,
            drain: options.drain,
        }
    }

    pub(super) async fn run(&mut self) -> io::Result<Served> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// Reading, calling and writing each go as far as they can, so that none of them waits for another.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Served>> {
        loop {
            let is_written = self.poll_write(cx)?.is_ready();
            let is_full = self.poll_pump(cx).is_ready();
            let has_read = self.poll_read(cx)?.is_ready();
            let (served, deadline) = match &mut self.state {
                State::Open => (None, false),
                State::Leaving(deadline) => {
                    let is_done = is_written && self.out.is_empty() && self.pump.is_idle();
                    (is_done.then_some(Served::Left), deadline.as_mut().poll(cx).is_ready())
                }
                State::Ending(deadline) => {
                    let is_done = is_written && self.out.is_empty();
                    (is_done.then_some(Served::UpstreamEnded), deadline.as_mut().poll(cx).is_ready())
                }
            };
            match served {
                Some(served) => return Poll::Ready(Ok(served)),
                None if deadline => return Poll::Ready(Ok(self.served_in_part())),
                None if has_read || is_written && (is_full || !self.out.is_empty()) => {}
                None => return Poll::Pending,
            }
        }
    }

    fn served_in_part(&self) -> Served {
        tracing::debug!(unwritten = self.out.bytes(), "the client was not served to the end");
        if matches!(self.state, State::Ending(_)) { Served::UpstreamEnded } else { Served::Left }
    }

    /// Ready when all output has been written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.out.is_empty() {
            self.is_flushed = false;
            std::task::ready!(self.out.poll_write(&mut self.writer, cx))?;
        }
        if !self.is_flushed {
            std::task::ready!(Pin::new(&mut self.writer).poll_flush(cx))?;
            self.is_flushed = true;
            self.refusals = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when no more is taken from the pump: until something has been written, or for good.
    fn poll_pump(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.state, State::Ending(_)) {
            return Poll::Ready(());
        }
        while self.out.bytes() < UNWRITTEN_BYTES {
            match std::task::ready!(self.pump.poll_next(cx)) {
                Some(message) => {
                    if let Some(id) = message.id().filter(|_| message.is_response()) {
                        self.listening.retain(|listening| *listening != id);
                    }
                    if let Some(line) = self.batches.put(message) {
                        self.out.push(Line::from_slices(line));
                    }
                }
                None => {
                    self.state = State::Ending(self.deadline());
                    break;
                }
            }
        }
        Poll::Ready(())
    }

    /// Ready when some lines have been handled, and there may be more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (mut has_moved, mut has_filled) = (false, false);
        while self.may_take() {
            match if self.has_ended { self.lines.finish() } else { self.lines.next_line() } {
                Ok(Some(line)) => self.take(line),
                Ok(None) if self.has_ended => self.leave(),
                // The calls of these lines come first.
                Ok(None) if has_filled => break,
                Ok(None) => {
                    has_filled = true;
                    match poll_fill(&mut self.reader, &mut self.lines, cx)? {
                        Poll::Ready(read) => self.has_ended = read == 0,
                        Poll::Pending => break,
                    }
                }
                Err(error) => self.refuse(None, ErrorCode::INVALID_REQUEST, error.to_string()),
            }
            has_moved = true;
        }
        if has_moved { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Whether another line may be handled. A client with too much in flight, or one that does not read our
    /// refusals, has to wait.
    fn may_take(&self) -> bool {
        matches!(self.state, State::Open) && self.pump.is_open() && self.refusals < UNREAD_REFUSALS
    }

    fn take(&mut self, line: Bytes) {
        let is_batch = line.trim_ascii_start().starts_with(b"[");
        if is_batch && !self.pump.context_mut().revision.is_some_and(Revision::allows_batches) {
            let message = "batches are a part of revision 2025-03-26 alone, after `initialize`";
            return self.refuse(None, ErrorCode::INVALID_REQUEST, message.to_owned());
        }
        match Incoming::parse(line.clone(), &self.limits) {
            Ok(Incoming::One(message)) => self.hand_on(message),
            Ok(Incoming::Batch(messages)) => {
                self.batches.begin(&messages);
                messages.into_iter().for_each(|message| self.hand_on(message));
            }
            Err(error) => {
                // Otherwise the client would wait for ever for an answer to that id.
                let is_json = matches!(error, ParseError::NotJsonRpc { .. });
                let id = is_json.then(|| RequestId::of_refused(&line, &self.limits)).flatten();
                self.refuse(id, error.code(), error.to_string());
            }
        }
    }

    fn hand_on(&mut self, message: Message) {
        if message.is_request() && message.is_method("subscriptions/listen") {
            self.listening.extend(message.id());
        } else if let Some(id) =
            message.cancelled_id().filter(|_| message.is_method("notifications/cancelled"))
        {
            self.listening.retain(|listening| *listening != id);
            if let Some(line) = self.batches.cancel(&id) {
                self.out.push(Line::from_slices(line));
            }
        }
        self.pump.handle(message);
    }

    /// Tells the client that a line is not a message.
    fn refuse(&mut self, id: Option<RequestId>, code: ErrorCode, message: String) {
        tracing::debug!(code = code.0, message, "a line of the client is no message");
        let error = Message::error_of(id.as_ref(), &ErrorObject::of_call(code, message, Outcome::NotSent));
        self.refusals += error.len();
        self.out.push(Line::new(&error, None));
    }

    /// Handles the end of the client's input. Its requests are still answered; its listen requests end,
    /// because they would not end by themselves.
    fn leave(&mut self) {
        for id in std::mem::take(&mut self.listening) {
            self.pump.handle(Message::cancellation_of(&id, "the client has left"));
        }
        self.state = State::Leaving(self.deadline());
    }

    fn deadline(&self) -> Pin<Box<Sleep>> {
        Box::pin(sleep_until(later(Instant::now(), self.drain)))
    }
}

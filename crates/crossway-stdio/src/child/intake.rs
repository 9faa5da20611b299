//! Splits a child's stdout into messages and noise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use crossway_proto::line::{LineDecoder, LineTooLong};
use crossway_proto::peek::{self, Head};
use crossway_proto::{CallKey, ErrorCode, ErrorObject, Incoming, Limits, Message, RequestId};
use crossway_service::{CallError, ErrorText, Mux, Outlet, Reason};

use super::Plan;
use super::stderr::printable;
use crate::limits::{NOISE_CHARS, NOISE_LOGGED};

/// Counts of a child's output so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The number of reads that brought something.
    pub(super) reads: AtomicU64,
    /// Whether reading is paused because the clients do not keep up.
    pub(super) is_held: AtomicBool,
    /// Results and errors.
    pub(super) answers: AtomicU64,
    /// Lines that are not messages.
    pub(super) noise: AtomicU64,
    /// Whether a child of this server has ever answered.
    answered: Arc<AtomicBool>,
    /// The server's name in the log.
    upstream: Option<Arc<str>>,
    /// The tenant that it runs for.
    tenant: Option<Arc<str>>,
}

impl Counts {
    /// The counts of a new child of this plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let (upstream, tenant) = (plan.command.name().cloned(), plan.command.tenant().cloned());
        Self { upstream, tenant, answered: Arc::clone(plan.answered()), ..Self::default() }
    }
}

/// Splits output into lines, and passes on the messages in them.
///
/// "The server **MUST NOT** write anything to its `stdout` that is not a valid MCP message" (2025-11-25,
/// basic/transports, stdio). Many servers do: such lines are counted, logged in part, and skipped. If a line
/// was meant to be the answer to a call, that call fails, so that nobody waits for it.
pub(super) struct Intake<'a, O> {
    pub(super) lines: LineDecoder,
    limits: Limits,
    mux: &'a Mux<O>,
    counts: &'a Counts,
    /// The reason for skipping a line whose head did not show which call it belongs to.
    awaiting_tail: Option<String>,
}

impl<'a, O: Outlet> Intake<'a, O> {
    pub(super) fn new(mux: &'a Mux<O>, limits: Limits, counts: &'a Counts) -> Self {
        let lines = LineDecoder::new(limits.message_bytes);
        Self { lines, limits, mux, counts, awaiting_tail: None }
    }

    /// Passes on the lines that have been read. Returns false if some are left, because readers of replies
    /// have to have their turn first.
    pub(super) fn take_lines(&mut self) -> bool {
        while !self.mux.is_crowded() {
            if !self.take_line() {
                return true;
            }
        }
        false
    }

    /// Passes on the next line. Returns false if there is none.
    fn take_line(&mut self) -> bool {
        let line = self.lines.next_line();
        if self.awaiting_tail.is_some() {
            // A second such line right after the first has overwritten its tail.
            let tail = if line.is_ok() { self.lines.take_tail() } else { Some(Bytes::new()) };
            if let Some((tail, why)) = tail.and_then(|tail| Some((tail, self.awaiting_tail.take()?))) {
                self.fail_by_tail(&tail, &why);
            }
        }
        match line {
            Ok(Some(line)) => self.take(line),
            Ok(None) => return false,
            Err(too_long) => self.skip_long_line(&too_long),
        }
        true
    }

    /// Drops the bytes that have been read: nobody is left who could get them.
    pub(super) fn discard(&mut self) {
        self.lines = LineDecoder::new(self.limits.message_bytes);
    }

    /// Passes on the rest, which may end without a newline: the output has ended.
    pub(super) fn finish(&mut self) {
        while self.take_line() {}
        if let Ok(Some(line)) = self.lines.finish() {
            self.take(line);
        }
    }

    fn take(&mut self, line: Bytes) {
        match Message::parse(line.clone(), &self.limits) {
            Ok(message) => self.accept(message),
            // A 2025-03-26 server may send several messages as one array. They are handled like any others.
            Err(_) if line.trim_ascii_start().starts_with(b"[") => {
                match Incoming::parse(line.clone(), &self.limits) {
                    Ok(Incoming::One(message)) => self.accept(message),
                    Ok(Incoming::Batch(messages)) => {
                        messages.into_iter().for_each(|message| self.accept(message))
                    }
                    Err(error) => self.refuse(&line, &error.to_string()),
                }
            }
            Err(error) => self.refuse(&line, &error.to_string()),
        }
    }

    fn accept(&self, message: Message) {
        if message.is_response() {
            self.counts.answers.fetch_add(1, Ordering::Relaxed);
            if !self.counts.answered.load(Ordering::Relaxed) {
                self.counts.answered.store(true, Ordering::Relaxed);
            }
        }
        self.mux.accept(message);
    }

    /// Skips a line that is not a message.
    fn refuse(&self, line: &[u8], why: &str) {
        self.count_noise(line, why);
        let head = &line[..line.len().min(LineTooLong::HEAD_BYTES)];
        if !self.settle(peek::head(head), why)
            && let Some(id) = peek::tail(line)
        {
            self.fail(&id, why);
        }
    }

    /// Skips a line that is too long: only its head is known.
    fn skip_long_line(&mut self, too_long: &LineTooLong) {
        let why = too_long.to_string();
        self.count_noise(&too_long.head, &why);
        if self.settle(peek::head(&too_long.head), &why) {
            return;
        }
        match (self.lines.take_tail(), self.mux.only_call()) {
            (Some(tail), _) => self.fail_by_tail(&tail, &why),
            (None, Some(call)) => self.mux.fail(call, lost_answer(&why)),
            (None, None) => self.awaiting_tail = Some(why),
        }
    }

    /// Fails the call whose answer this tail ends. If the tail does not show which, all calls fail, because
    /// one of them has lost its answer.
    fn fail_by_tail(&self, tail: &[u8], why: &str) {
        match (peek::tail(tail), self.mux.only_call()) {
            (Some(id), _) => self.fail(&id, why),
            (None, Some(call)) => self.mux.fail(call, lost_answer(why)),
            (None, None) => self.mux.fail_all(&lost_answer(why)),
        }
    }

    /// Tells whoever a line was meant for that it is lost. Returns false if its head does not show who that
    /// is.
    fn settle(&self, head: Head, why: &str) -> bool {
        match head {
            Head::Noise => {}
            Head::Answer(id) => self.fail(&id, why),
            Head::Asked(None) => {}
            Head::Asked(Some(id)) => {
                // The server waits for an answer to a request that nobody has read.
                let error = ErrorObject::new(ErrorCode::INVALID_REQUEST, why.to_owned());
                let _ = self.mux.outlet().send(Message::error_of(Some(&id), &error));
            }
            Head::Unknown => return false,
        }
        true
    }

    fn fail(&self, id: &RequestId, why: &str) {
        if let Some(call) = CallKey::from_id(id) {
            self.mux.fail(call, lost_answer(why));
        }
    }

    fn count_noise(&self, line: &[u8], why: &str) {
        let count = self.counts.noise.fetch_add(1, Ordering::Relaxed) + 1;
        if count > NOISE_LOGGED && !count.is_power_of_two() {
            return;
        }
        // A line that looks like a message may contain private data.
        let text = match line.trim_ascii_start().first() {
            Some(b'{' | b'[') => String::new(),
            _ => printable(&line[..line.len().min(4 * NOISE_CHARS)]).chars().take(NOISE_CHARS).collect(),
        };
        let (upstream, tenant) = (self.counts.upstream.as_deref(), self.counts.tenant.as_deref());
        tracing::warn!(target: "crossway::child", upstream, tenant, count, why, text, "a line on stdout is no message");
    }
}

fn lost_answer(why: &str) -> CallError {
    CallError::unknown(Reason::InvalidAnswer(ErrorText::public(why.to_owned())))
}

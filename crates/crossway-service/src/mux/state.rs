//! The state of a mux: its calls in flight.

use std::collections::VecDeque;
use std::task::Waker;

use crossway_proto::{CallKey, Calls, Message};

use super::Overflow;
use crate::{CallError, Limits, Reason, WakerSlot};

/// Messages that wait for the reader of one reply.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) queue: Queue,
    pub(super) end: Option<End>,
    pub(super) waker: WakerSlot,
}

/// How a call ended.
pub(super) enum End {
    Answered(Box<Result<Message, CallError>>),
    Cancelled,
}

/// Messages in order, with their bytes counted.
#[derive(Default)]
pub(super) struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
        Some(message)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_over(&self, limits: &Limits) -> bool {
        self.messages.len() > limits.waiting_messages
            || self.bytes > limits.waiting_bytes && self.messages.len() > 1
    }

    pub(super) fn is_half_over(&self, limits: &Limits) -> bool {
        self.messages.len() > limits.waiting_messages / 2
            || self.bytes > limits.waiting_bytes / 2 && self.messages.len() > 1
    }
}

/// The listeners. The newest one gets the messages: an older one may belong to a stream that is broken and
/// does not know it yet.
#[derive(Default)]
pub(super) struct Listeners {
    next: u64,
    /// In order of their numbers, each with its waker.
    all: Vec<(u64, WakerSlot)>,
}

impl Listeners {
    pub(super) fn enter(&mut self) -> u64 {
        self.next += 1;
        self.all.push((self.next, WakerSlot::default()));
        self.next
    }

    /// Removes a listener. If it was the newest, the next newest is woken.
    pub(super) fn leave(&mut self, number: u64) {
        let had_turn = self.is_newest(number);
        if let Ok(at) = self.all.binary_search_by_key(&number, |(number, _)| *number) {
            self.all.remove(at);
        }
        if had_turn {
            self.wake_newest();
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn is_newest(&self, number: u64) -> bool {
        self.all.last().is_some_and(|(newest, _)| *newest == number)
    }

    /// Wakes a listener when there is something for it.
    pub(super) fn wait(&mut self, number: u64, waker: &Waker) {
        let Ok(at) = self.all.binary_search_by_key(&number, |(number, _)| *number) else { return };
        self.all[at].1.register(waker);
    }

    fn wake_newest(&mut self) {
        if let Some((_, newest)) = self.all.last_mut() {
            newest.wake();
        }
    }

    pub(super) fn wake_all(&mut self) {
        self.all.iter_mut().for_each(|(_, listener)| listener.wake());
    }
}

pub(super) struct State {
    pub(super) calls: Calls<Waiting>,
    /// Whether other calls were in flight when the last call was sent.
    had_company: bool,
    pub(super) unowned: Queue,
    pub(super) listeners: Listeners,
    pub(super) capacity: WakerSlot,
    pub(super) ended: Option<Reason>,
    /// Whether `initialize` was sent. Then the connection is one session, which ends with it.
    pub(super) is_session: bool,
    pub(super) strays: u64,
}

impl State {
    pub(super) fn new(calls_in_flight: usize) -> Self {
        Self {
            calls: Calls::new(calls_in_flight),
            had_company: false,
            unowned: Queue::default(),
            listeners: Listeners::default(),
            capacity: WakerSlot::default(),
            ended: None,
            is_session: false,
            strays: 0,
        }
    }

    /// The reason why nothing more can be sent; `None` while calls can be sent.
    pub(super) fn refusal(&self, is_initialize: bool) -> Option<Reason> {
        self.ended.as_ref().map(|reason| self.reason_for_call(reason, is_initialize))
    }

    /// The reason that a call is told if it was not sent.
    ///
    /// A session ends with its connection: "The server **MAY** terminate the session at any time, after which
    /// it **MUST** respond to requests containing that session ID with HTTP 404" (2025-11-25,
    /// basic/transports, Session Management).
    pub(super) fn reason_for_call(&self, reason: &Reason, is_initialize: bool) -> Reason {
        match reason {
            Reason::Closing | Reason::Unavailable(_) | Reason::OverLimit(_) | Reason::OverQuota(_) => {
                reason.clone()
            }
            _ if self.is_session && !is_initialize => Reason::SessionEnded,
            _ => reason.clone(),
        }
    }

    /// Whether nobody reads the upstream's messages.
    pub(super) fn is_deserted(&self) -> bool {
        self.listeners.are_none() && self.calls.is_empty()
    }

    /// Whether the call that was just opened is alone. False if other calls were in flight now or at the last
    /// call: such clients get several answers at once, and send as many calls.
    pub(super) fn is_alone(&mut self) -> bool {
        let has_company = self.calls.len() > 1;
        let had_company = std::mem::replace(&mut self.had_company, has_company);
        !has_company && !had_company
    }

    /// The call that a response answers.
    ///
    /// An error whose id is null or missing answers a message that the upstream could not read. It is taken
    /// as the answer to the call in flight, if there is exactly one.
    pub(super) fn answered(&mut self, response: &mut Message) -> Option<CallKey> {
        if response.id().is_none() {
            let (key, is_only) = self.calls.newest()?;
            if !is_only {
                return None;
            }
            *response = Message::error_with(&key.to_id(), response.error()?).ok()?;
        }
        let key = self.calls.answered(response)?;
        // A late answer to a cancelled call belongs to nobody.
        self.calls.state_mut(key).is_some_and(|waiting| waiting.end.is_none()).then_some(key)
    }

    pub(super) fn finish(&mut self, key: CallKey, answer: Result<Message, CallError>) {
        self.end(key, End::Answered(Box::new(answer)));
    }

    pub(super) fn cancel(&mut self, key: CallKey) {
        self.end(key, End::Cancelled);
    }

    fn end(&mut self, key: CallKey, end: End) {
        let Some(waiting) = self.calls.state_mut(key) else { return };
        waiting.end.get_or_insert(end);
        waiting.waker.wake();
    }

    /// Hands a message to the listeners. Returns messages for which there was no room, the oldest first.
    pub(super) fn announce(&mut self, message: Message, limits: &Limits, overflow: Overflow) -> Vec<Message> {
        self.unowned.push(message);
        let mut dropped = Vec::new();
        if self.listeners.are_none() || overflow == Overflow::Fail {
            while self.unowned.is_over(limits) {
                dropped.extend(self.unowned.pop());
            }
            self.strays += dropped.len() as u64;
        }
        self.listeners.wake_newest();
        dropped
    }

    pub(super) fn count_stray(&mut self) {
        self.strays += 1;
    }

    pub(super) fn is_full(&mut self, limits: &Limits) -> bool {
        !self.listeners.are_none() && self.unowned.is_over(limits)
            || self.calls.iter_mut().any(|(_, waiting)| waiting.queue.is_over(limits))
    }
}

//! The state of a mux: its calls in flight.

use std::collections::VecDeque;
use std::task::Waker;

use crossway_proto::{CallKey, Calls, Message};

use super::Overflow;
use crate::{CallError, Limits, Reason};

/// What waits for the reader of one reply.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) queue: Queue,
    pub(super) end: Option<End>,
    pub(super) waker: Option<Waker>,
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

/// Those who listen. It is the newest one's turn, since an older one may be of a stream that is broken and does not know it.
#[derive(Default)]
pub(super) struct Listeners {
    next: u64,
    /// By number, with what wakes each.
    all: Vec<(u64, Option<Waker>)>,
}

impl Listeners {
    pub(super) fn enter(&mut self) -> u64 {
        self.next += 1;
        self.all.push((self.next, None));
        self.next
    }

    /// Passes the turn on, if it was this one's.
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

    /// Has a listener woken when there is something for it.
    pub(super) fn wait(&mut self, number: u64, waker: &Waker) {
        let Ok(at) = self.all.binary_search_by_key(&number, |(number, _)| *number) else { return };
        match &mut self.all[at].1 {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn wake_newest(&mut self) {
        if let Some(waker) = self.all.last_mut().and_then(|(_, waker)| waker.take()) {
            waker.wake();
        }
    }

    pub(super) fn wake_all(&mut self) {
        for waker in self.all.iter_mut().filter_map(|(_, waker)| waker.take()) {
            waker.wake();
        }
    }
}

pub(super) struct State {
    pub(super) calls: Calls<Waiting>,
    /// Whether others were in flight when the last call went out.
    had_company: bool,
    pub(super) unowned: Queue,
    pub(super) listeners: Listeners,
    pub(super) capacity: Option<Waker>,
    pub(super) ended: Option<Reason>,
    /// Whether `initialize` went out: the connection is one session, which ends with it.
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
            capacity: None,
            ended: None,
            is_session: false,
            strays: 0,
        }
    }

    /// Why nothing more can be sent; `None` as long as it can.
    pub(super) fn refusal(&self, is_initialize: bool) -> Option<Reason> {
        self.ended.as_ref().map(|reason| self.reason_for_call(reason, is_initialize))
    }

    /// What a call is told that was not sent for a reason.
    ///
    /// A session is no more once its connection is: "The server **MAY** terminate the session at any time, after which it **MUST**
    /// respond to requests containing that session ID with HTTP 404" (2025-11-25, basic/transports, Session Management).
    pub(super) fn reason_for_call(&self, reason: &Reason, is_initialize: bool) -> Reason {
        match reason {
            Reason::Closing | Reason::Unavailable(_) | Reason::OverLimit(_) | Reason::OverQuota(_) => {
                reason.clone()
            }
            _ if self.is_session && !is_initialize => Reason::SessionEnded,
            _ => reason.clone(),
        }
    }

    /// Whether nobody is there who reads what the upstream says.
    pub(super) fn is_deserted(&self) -> bool {
        self.listeners.are_none() && self.calls.is_empty()
    }

    /// Whether the call that was just taken up comes by itself. One does not that others came together with before:
    /// clients which have many calls in flight get answers to several at once, and go on with as many.
    pub(super) fn is_alone(&mut self) -> bool {
        let has_company = self.calls.len() > 1;
        let had_company = std::mem::replace(&mut self.had_company, has_company);
        !has_company && !had_company
    }

    /// The call that a response answers.
    ///
    /// An error whose id is null or missing answers what the upstream could not read: the call in flight, if there is one only.
    pub(super) fn answered(&mut self, response: &mut Message) -> Option<CallKey> {
        if response.id().is_none() {
            let (key, is_only) = self.calls.newest()?;
            if !is_only {
                return None;
            }
            *response = Message::error_with(&key.to_id(), response.error()?).ok()?;
        }
        let key = self.calls.answered(response)?;
        // A late answer to what was cancelled is nobody's.
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
        if let Some(waker) = waiting.waker.take() {
            waker.wake();
        }
    }

    /// Hands a message to those who listen. Gives back what there was no room for, the oldest first.
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

    pub(super) fn wake_capacity(&mut self) {
        if let Some(waker) = self.capacity.take() {
            waker.wake();
        }
    }
}

//! Serves one client on a two-way pipe of messages.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use crossway_proto::{Kind, Message, RequestId, Revision};
use futures_core::Stream;
use futures_util::stream::SelectAll;

use crate::{Call, CallError, Context, Extensions, Limits, Link, Origin, Reason, Reply, WakerSlot};

/// Serves one client whose messages come in one stream and go out in another, as on stdio and HTTP+SSE.
///
/// The client's messages go in through [`handle`](Pump::handle), and messages for the client come out of
/// [`poll_next`](Pump::poll_next). A pump is a state machine without a task; it ends when the link does.
pub struct Pump {
    link: Link,
    limits: Limits,
    context: Context,
    /// Messages that have to wait: behind a notification that is still being delivered (a request must not
    /// overtake `notifications/initialized`), behind an `initialize` without an answer (there is no session
    /// yet), or because as many calls are in flight as may be. Each has its own extensions.
    inbox: VecDeque<(Message, Extensions)>,
    inbox_bytes: usize,
    notifying: Option<Reply>,
    /// The number of the `initialize` call, until it is answered.
    opening: Option<u64>,
    listening: Option<Reply>,
    calls: SelectAll<InFlight>,
    refused: VecDeque<Message>,
    /// The upstream's requests that the client has not answered, each with the number of the call that it
    /// came with.
    asked: Vec<(RequestId, Option<u64>)>,
    /// The number of calls so far.
    begun: u64,
    poller: WakerSlot,
}

impl Pump {
    /// Serves a client on `link`, which should be its own.
    #[must_use]
    pub fn new(link: Link, limits: Limits) -> Self {
        Self::with_extensions(link, limits, Extensions::new())
    }

    /// Serves a client with extensions for layers and transports, from its first call on.
    #[must_use]
    pub fn with_extensions(link: Link, limits: Limits, extensions: impl Into<Extensions>) -> Self {
        let mut context = Context::new(Origin::unique(), None);
        context.extensions = extensions.into();
        let listening = Some(link.call(Call::listen(context.clone())));
        Self {
            link,
            limits,
            context,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            notifying: None,
            opening: None,
            listening,
            calls: SelectAll::new(),
            refused: VecDeque::new(),
            asked: Vec::new(),
            begun: 0,
            poller: WakerSlot::default(),
        }
    }

    /// The context of the client's calls. Changes apply to all later calls.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Handles a message of the client. Never waits.
    pub fn handle(&mut self, message: Message) {
        if message.is_response() {
            let answered = message.id();
            self.asked.retain(|(id, _)| Some(id) != answered.as_ref());
        }
        if !self.takes(&message) {
            if message.is_request() {
                let reason = Reason::OverLimit("the client has too many requests in flight".into());
                self.refused.push_back(CallError::not_sent(reason).to_message(message.id().as_ref()));
            }
        } else if is_urgent(&message) {
            if !self.cancels_one_that_waits(&message) {
                self.hand_on(message, self.context.clone());
            }
        } else if self.is_held() || !self.inbox.is_empty() {
            self.inbox_bytes += message.len();
            self.inbox.push_back((message, self.context.extensions.clone()));
        } else {
            self.hand_on(message, self.context.clone());
        }
        self.poller.wake();
    }

    /// Listens again for the upstream's messages outside calls, if that has ended.
    pub fn listen(&mut self) {
        if self.listening.is_none() {
            self.listening = Some(self.link.call(Call::listen(self.context.clone())));
        }
    }

    /// Answers a request of the client with an error, without passing it on. Returns whether there was room
    /// for the answer: only so many refusals wait for a client to read them.
    #[must_use]
    pub fn refuse(&mut self, request: &RequestId, error: &CallError) -> bool {
        if self.refused.len() >= Limits::URGENT_MESSAGES {
            return false;
        }
        self.refused.push_back(error.to_message(Some(request)));
        self.poller.wake();
        true
    }

    /// Ends all calls with errors, which are the last messages for the client: calls that were passed on have
    /// an unknown outcome, calls that wait were not sent. The upstream is told that they are cancelled. No
    /// message may be handled after that.
    pub fn fail_all(&mut self, reason: &Reason) {
        let (sent, waiting) = (CallError::unknown(reason.clone()), CallError::not_sent(reason.clone()));
        let of_calls = self.calls.iter().filter_map(|call| call.id.as_ref());
        self.refused.extend(of_calls.map(|id| sent.to_message(Some(id))));
        let requests = self.inbox.iter().filter(|(message, _)| message.is_request());
        self.refused.extend(requests.map(|(message, _)| waiting.to_message(message.id().as_ref())));
        self.calls.clear();
        self.inbox.clear();
        (self.inbox_bytes, self.notifying, self.opening, self.listening) = (0, None, None, None);
        self.poller.wake();
    }

    /// Whether [`handle`](Pump::handle) would accept this message. If not, a request is answered with an error and any other message is
    /// dropped.
    ///
    /// Responses and cancellations have a separate bound ([`Limits::URGENT_MESSAGES`]), since calls in flight may need them to finish.
    #[must_use]
    pub fn takes(&self, message: &Message) -> bool {
        if is_urgent(message) {
            self.calls.len() < self.limits.inbox_messages.saturating_add(Limits::URGENT_MESSAGES)
        } else {
            !self.is_full()
        }
    }

    /// Whether the inbox is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inbox.len() >= self.limits.inbox_messages || self.inbox_bytes >= self.limits.inbox_bytes
    }

    /// Whether the transport should keep reading from the client. It should until the pump is full, and
    /// beyond that while the upstream waits for a response that may be queued behind requests. It should not
    /// while the client does not read its errors.
    #[must_use]
    pub fn is_open(&self) -> bool {
        (!self.is_full() || !self.asked.is_empty()) && self.refused.len() < Limits::URGENT_MESSAGES
    }

    /// Whether new messages have to wait.
    fn is_held(&self) -> bool {
        self.notifying.is_some() || self.opening.is_some() || self.calls.len() >= self.limits.inbox_messages
    }

    /// Drops a request that was not passed on yet, because it was cancelled: it gets no answer.
    fn cancels_one_that_waits(&mut self, message: &Message) -> bool {
        let Some(id) = message.cancelled_id().filter(|_| !message.is_response()) else { return false };
        let is_it =
            |(waiting, _): &(Message, Extensions)| waiting.is_request() && waiting.id().as_ref() == Some(&id);
        let Some(at) = self.inbox.iter().position(is_it) else { return false };
        self.inbox_bytes -= self.inbox.remove(at).map_or(0, |(waiting, _)| waiting.len());
        true
    }

    /// Whether all messages of the client have been passed on and answered. To be called when
    /// [`poll_next`](Pump::poll_next) is pending: until then, an answer that was just returned still counts.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.inbox.is_empty() && self.notifying.is_none() && self.refused.is_empty()
    }

    /// The link that serves the client.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The next message for the client; `None` once the connection with the upstream has ended and nothing is in
    /// flight.
    pub fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Message>> {
        loop {
            self.poll_inbox(cx);
            if let Some(message) = self.refused.pop_front() {
                return Poll::Ready(Some(message));
            }
            if let Some(listening) = &mut self.listening {
                match Pin::new(listening).poll_next(cx) {
                    Poll::Ready(Some(Ok(message))) => return Poll::Ready(Some(self.record(message, None))),
                    Poll::Ready(_) => self.listening = None,
                    Poll::Pending => {}
                }
            }
            match Pin::new(&mut self.calls).poll_next(cx) {
                Poll::Ready(Some((of, Some(message)))) => {
                    self.opening = self.opening.filter(|opening| *opening != of || !message.is_response());
                    return Poll::Ready(Some(self.record(message, Some(of))));
                }
                // Nobody waits for answers to questions of a call that has ended.
                Poll::Ready(Some((ended, None))) => {
                    self.asked.retain(|(_, of)| *of != Some(ended));
                    self.opening = self.opening.filter(|opening| *opening != ended);
                    continue;
                }
                Poll::Ready(None) if self.listening.is_none() && self.is_idle() => return Poll::Ready(None),
                _ => {}
            }
            // A call that has just ended leaves room for waiting messages.
            if self.is_held() || self.inbox.is_empty() {
                break;
            }
        }
        self.poller.register(cx.waker());
        Poll::Pending
    }

    fn poll_inbox(&mut self, cx: &mut TaskContext<'_>) {
        loop {
            if let Some(reply) = &mut self.notifying {
                match Pin::new(reply).poll_next(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(None | Some(Err(_))) => self.notifying = None,
                    Poll::Pending => return,
                }
                continue;
            }
            if self.is_held() {
                return;
            }
            let Some((message, extensions)) = self.inbox.pop_front() else { return };
            self.inbox_bytes -= message.len();
            self.hand_on(message, Context { extensions, ..self.context.clone() });
        }
    }

    fn hand_on(&mut self, message: Message, mut context: Context) {
        if let Some(version) = message.meta_version() {
            context.revision = Revision::parse(&version);
        }
        let id = message.request_id();
        let opens = id.is_some() && message.is_method("initialize");
        let is_barrier = message.kind() == Kind::Notification && !is_urgent(&message);
        let reply = self.link.call(Call::message(message, context));
        if is_barrier {
            self.notifying = Some(reply);
        } else {
            self.begun += 1;
            if opens {
                self.opening = Some(self.begun);
            }
            self.calls.push(InFlight { number: self.begun, id, reply, is_end_told: opens, is_over: false });
        }
    }

    /// Records what a message for the client contains: a question, or the revision that `initialize` agrees
    /// on.
    fn record(&mut self, answer: Message, of: Option<u64>) -> Message {
        match answer.kind() {
            Kind::Request if self.asked.len() < Limits::URGENT_MESSAGES => {
                self.asked.extend(answer.id().map(|id| (id, of)));
            }
            Kind::Notification if answer.is_method("notifications/cancelled") => {
                let cancelled = answer.cancelled_id();
                self.asked.retain(|(id, _)| Some(id) != cancelled.as_ref());
            }
            _ => {}
        }
        if self.context.revision.is_none() && answer.kind() == Kind::Result {
            self.context.revision = answer.initialize_version().and_then(|version| Revision::parse(&version));
        }
        answer
    }
}

/// Messages that must not wait: cancellations overtake the calls that they cancel, and an upstream may be
/// waiting for a response.
fn is_urgent(message: &Message) -> bool {
    message.is_response() || message.is_method("notifications/cancelled")
}

/// A reply on its way to the client, with failures turned into messages. Each message comes with the number
/// of its call. The end of the reply is reported too if the call opens the session, or if the upstream has
/// asked something during it.
struct InFlight {
    number: u64,
    /// `None` for messages without an answer, and once the answer was given.
    id: Option<RequestId>,
    reply: Reply,
    is_end_told: bool,
    is_over: bool,
}

impl Stream for InFlight {
    type Item = (u64, Option<Message>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let message = match ready!(Pin::new(&mut self.reply).poll_next(cx)) {
            Some(Err(error)) => self.id.as_ref().map(|id| error.to_message(Some(id))),
            Some(Ok(message)) => Some(message),
            None => None,
        };
        if message.as_ref().is_none_or(Message::is_response) {
            self.id = None;
        }
        self.is_end_told |= message.as_ref().is_some_and(Message::is_request);
        self.is_over = message.is_none();
        let is_told = !self.is_over || self.is_end_told;
        Poll::Ready(is_told.then_some((self.number, message)))
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("calls", &self.calls.len()).field("inbox", &self.inbox.len()).finish()
    }
}

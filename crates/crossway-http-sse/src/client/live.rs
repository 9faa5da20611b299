//! The task of a session with an open stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossway_proto::sse::{self, SseEvent};
use crossway_proto::{CallKey, Calls, Incoming, Kind, Message, RequestId, Revision};
use crossway_service::{CallError, ErrorText, Mux, Reason};
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{HeaderName, HeaderValue};
use tokio::time::Sleep;

use super::outbox::{Outbox, Standing, is_cancellation};
use super::post::{Target, post};
use super::session::Session;
use super::stream::{EventStream, Streamed};
use super::{ClientLimits, Shared};

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// A session's open stream and its POSTs under way, in one task.
pub(super) struct Live {
    mux: Mux<Outbox>,
    shared: Arc<Shared>,
    stream: EventStream,
    target: Arc<Target>,
    posts: FuturesUnordered<Post>,
    /// The number of POSTs under way, by [kind](What::index).
    under_way: [usize; 4],
    /// When to check for overdue POSTs. Created with the first POST, and kept.
    tick: Option<Pin<Box<Sleep>>>,
    /// The id of `initialize`, whose answer has the revision.
    initialize: Option<CallKey>,
}

/// A POST under way.
struct Post {
    what: What,
    since: Instant,
    posting: Pin<Box<dyn Future<Output = Posted> + Send>>,
}

type Posted = Result<Option<Incoming>, CallError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Request(CallKey),
    Response,
    Notification,
    Cancellation,
}

impl Live {
    pub(super) fn new(session: &Session, stream: EventStream, target: Target) -> Self {
        Self {
            mux: session.mux.clone(),
            shared: Arc::clone(&session.shared),
            stream,
            target: Arc::new(target),
            posts: FuturesUnordered::new(),
            under_way: [0; 4],
            tick: None,
            initialize: None,
        }
    }

    /// Serves the session until the stream ends or the client hangs up.
    pub(super) async fn run(mut self) -> Reason {
        let reason = std::future::poll_fn(|cx| self.poll(cx)).await;
        if reason != Reason::Closing {
            return reason;
        }
        // Sends the client's last messages, and the cancellations of its open calls.
        let flush = std::pin::pin!(tokio::time::sleep(self.shared.limits.flush));
        let flushed = std::future::poll_fn(|cx| {
            let end = self.poll(cx);
            let Standing { is_empty, .. } = self.mux.outlet().watch(cx);
            let is_flushed = is_empty && self.posts.is_empty();
            if is_flushed || matches!(end, Poll::Ready(Reason::Ended(_))) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        match select(flushed, flush).await {
            Either::Left(_) | Either::Right(_) => Reason::Closing,
        }
    }

    /// Ready when the stream has ended, or the client has hung up.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        let standing = self.mux.outlet().watch(cx);
        loop {
            let mut is_idle = true;
            while let Some(message) = self.next_message() {
                self.start(message);
            }
            while let Poll::Ready(Some((what, posted))) = self.posts.poll_next_unpin(cx) {
                self.settle(what, posted);
                is_idle = false;
            }
            while let Poll::Ready(streamed) = self.poll_stream(cx) {
                match streamed {
                    Streamed::Ended(how) => return Poll::Ready(Reason::Ended(how.into())),
                    Streamed::Event(event) => self.handle_event(event),
                    Streamed::TooLarge(event) => {
                        let reason = Reason::InvalidAnswer("it is too long".into());
                        if !self.blame(&event.head, &reason) {
                            return Poll::Ready(Reason::Ended("it sent too large an event".into()));
                        }
                    }
                }
                is_idle = false;
            }
            if is_idle && self.poll_overdue(cx).is_pending() {
                break;
            }
        }
        if standing.is_hung_up { Poll::Ready(Reason::Closing) } else { Poll::Pending }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Streamed> {
        ready!(self.mux.poll_capacity(cx));
        self.stream.poll_next(cx)
    }

    /// The next message that may be POSTed now.
    ///
    /// Requests are POSTed concurrently, since a server may answer a POST only when the call is done. Messages behind a notification wait
    /// until the server has accepted it: `notifications/initialized` must come first.
    fn next_message(&self) -> Option<Message> {
        let [requests, responses, notifications, _] = self.under_way;
        let most = self.shared.limits.posts_in_flight;
        self.mux.outlet().pop(|message| match message.kind() {
            Kind::Request => notifications == 0 && requests < most,
            Kind::Result | Kind::Error => responses < most,
            Kind::Notification if is_cancellation(message) => self.is_taken(message),
            Kind::Notification => notifications == 0,
        })
    }

    /// Whether the cancelled request's POST is done, or takes too long to wait for. On two connections the cancellation could overtake
    /// the request, and would be lost.
    fn is_taken(&self, cancellation: &Message) -> bool {
        let key = cancellation.cancelled_id().and_then(|id| CallKey::from_id(&id));
        let post = key.and_then(|key| self.posts.iter().find(|post| post.what == What::Request(key)));
        post.is_none_or(|post| post.since.elapsed() >= self.shared.limits.cancel_hold)
    }

    fn start(&mut self, message: Message) {
        let what = match Calls::<()>::key_of(&message) {
            Some(key) => What::Request(key),
            None if message.is_response() => What::Response,
            // A cancellation does not hold up other messages.
            None if is_cancellation(&message) => What::Cancellation,
            None => What::Notification,
        };
        if message.is_method("initialize") {
            self.initialize = Calls::<()>::key_of(&message);
        }
        self.under_way[what.index()] += 1;
        let posting = Box::pin(post(Arc::clone(&self.shared), Arc::clone(&self.target), message));
        self.posts.push(Post { what, since: Instant::now(), posting });
    }

    fn settle(&mut self, what: What, posted: Posted) {
        self.under_way[what.index()] -= 1;
        match (posted, what) {
            (Ok(None), _) => {}
            (Ok(Some(incoming)), _) => self.accept(incoming),
            (Err(error), What::Request(key)) => self.mux.fail(key, error),
            (Err(error), _) => {
                tracing::warn!(%error, "an HTTP+SSE server did not take a notification or a response")
            }
        }
    }

    fn handle_event(&mut self, event: SseEvent) {
        // Empty data primes a client; other event types are not part of this transport.
        if event.event != sse::MESSAGE || event.data.is_empty() {
            return;
        }
        let head = event.data.slice(..event.data.len().min(ClientLimits::ID_SEARCH_BYTES));
        match Incoming::parse(event.data, &self.shared.limits.message) {
            Ok(incoming) => self.accept(incoming),
            Err(error) => {
                tracing::warn!(%error, "an HTTP+SSE server sent what is no message");
                self.blame(&head, &Reason::InvalidAnswer(ErrorText::private(error.to_string())));
            }
        }
    }

    fn accept(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::One(message) => self.accept_one(message),
            // A server of revision 2025-03-26 may send batches on any transport.
            Incoming::Batch(messages) => messages.into_iter().for_each(|message| self.accept_one(message)),
        }
    }

    fn accept_one(&mut self, message: Message) {
        let answered = || message.id().and_then(|id| CallKey::from_id(&id));
        if self.initialize.is_some() && message.kind() == Kind::Result && answered() == self.initialize {
            self.initialize = None;
            self.learn_revision(&message);
        }
        self.mux.accept(message);
    }

    /// 2025-06-18, basic/transports: "the client **MUST** include the `MCP-Protocol-Version:
    /// <protocol-version>` HTTP header on all subsequent requests".
    fn learn_revision(&mut self, answer: &Message) {
        let revision = answer.initialize_version().and_then(|version| Revision::parse(&version));
        if let Some(revision) = revision.filter(|revision| revision.requires_version_header()) {
            let target = Arc::make_mut(&mut self.target);
            target.headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(revision.as_str()));
        }
    }

    /// Fails the call that an unreadable message answers, as far as the message's first bytes tell which. A call that is answered with
    /// garbage must not wait for ever.
    fn blame(&self, head: &Bytes, reason: &Reason) -> bool {
        let key = match id_in(head) {
            Some(key) => Some(key),
            // Text that does not look like a message was not meant to be one.
            None if head.trim_ascii_start().first() == Some(&b'{') => self.mux.only_call(),
            None => None,
        };
        if let Some(key) = key {
            self.mux.fail(key, CallError::unknown(reason.clone()));
        }
        key.is_some()
    }

    /// Ready when overdue POSTs were given up.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.posts.is_empty() {
            return Poll::Pending;
        }
        let tick = self.tick.get_or_insert_with(|| Box::pin(tokio::time::sleep(ClientLimits::TICK)));
        ready!(tick.as_mut().poll(cx));
        tick.as_mut().reset(tokio::time::Instant::now() + ClientLimits::TICK);
        let limits = self.shared.limits;
        let posts = std::mem::take(&mut self.posts).into_iter();
        let (overdue, rest): (Vec<_>, Vec<_>) =
            posts.partition(|post| post.since.elapsed() >= post.patience(&limits));
        self.posts = rest.into_iter().collect();
        for post in overdue {
            let reason = Reason::TimedOut(post.patience(&limits));
            self.settle(post.what, Err(CallError::unknown(reason)));
        }
        Poll::Ready(())
    }
}

impl What {
    fn index(self) -> usize {
        match self {
            Self::Request(_) => 0,
            Self::Response => 1,
            Self::Notification => 2,
            Self::Cancellation => 3,
        }
    }
}

impl Post {
    fn patience(&self, limits: &ClientLimits) -> Duration {
        match self.what {
            What::Request(_) => limits.request_post,
            _ => limits.notification_post,
        }
    }
}

impl Future for Post {
    type Output = (What, Posted);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let posted = ready!(self.posting.as_mut().poll(cx));
        Poll::Ready((self.what, posted))
    }
}

/// The call whose id a piece of JSON has, if it is one of ours: these ids are large numbers.
fn id_in(head: &[u8]) -> Option<CallKey> {
    const NAME: &[u8] = b"\"id\"";
    let at = head.windows(NAME.len()).position(|window| window == NAME)?;
    let value = head[at + NAME.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // Digits at the end of the piece may be incomplete.
    let id = (digits < value.len()).then(|| RequestId::parse(&value[..digits])).flatten()?;
    CallKey::from_id(&id)
}

//! A legacy client's standing stream, built on `subscriptions/listen`.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use crossway_era::from_legacy::{ListenEvent, Listening};
use crossway_proto::Message;
use crossway_service::{CallError, Context, Reply};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::missed::missed;
use super::session::Session;
use crate::limits::{RELISTEN_FIRST, RELISTEN_MOST, SUBSCRIBE_WAIT};

/// Whether the client receives messages outside of calls, and which.
#[derive(Debug, Clone, Default)]
pub(super) enum Hearing {
    /// The client's session is not open.
    #[default]
    NotYet,
    /// The client receives what this filter lets through; nothing without a filter.
    Open(Option<Bytes>),
    /// The client's session has ended.
    Over,
}

/// The readers of a session's standing stream: one for each open GET.
#[derive(Default)]
pub(super) struct Listeners {
    /// What the client wants to receive, with a number that rises with each change.
    wanted: watch::Sender<(u64, Hearing)>,
    /// The highest of these numbers that the server has been told of, or cannot be.
    settled: watch::Sender<u64>,
    /// The readers; the newest is the last.
    readers: Mutex<Readers>,
    /// The reader whose turn it is: the newest, since an older stream may be broken unnoticed.
    turn: watch::Sender<u64>,
}

#[derive(Default)]
struct Readers {
    next: u64,
    ids: Vec<u64>,
    standing: Weak<AsyncMutex<Standing>>,
}

impl Listeners {
    /// Sets what the client receives from now on. Returns the number of the change.
    pub(super) fn want(&self, hearing: Hearing) -> u64 {
        let mut number = 0;
        self.wanted.send_modify(|wanted| {
            number = wanted.0 + 1;
            *wanted = (number, hearing);
        });
        number
    }

    /// Answers the client once the server knows of the change with this number, so that nothing after the answer is missed. The wait
    /// is bounded; a client that does not listen is answered at once.
    pub(super) fn answer_when_settled(&self, number: u64, answer: Message) -> Reply {
        if self.readers().standing.strong_count() == 0 {
            return Reply::once(answer);
        }
        let mut settled = self.settled.subscribe();
        Reply::pending(async move {
            let _ = timeout(SUBSCRIBE_WAIT, settled.wait_for(|settled| *settled >= number)).await;
            Reply::once(answer)
        })
    }

    fn settle(&self, number: u64) {
        self.settled.send_if_modified(|settled| {
            let is_news = *settled < number;
            *settled = number.max(*settled);
            is_news
        });
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock()
    }
}

/// Returns the upstream's messages for this client that belong to no call.
///
/// Opens `subscriptions/listen` when the client's session is open, again when the client's filter changes (the old subscription is
/// dropped when the new one is acknowledged), and again, after a pause, when the subscription ends: then the client is told that all it
/// listens for may have changed. All of the client's streams share one subscription, and each message goes out on one stream ("The server
/// MUST send each of its JSON-RPC messages on only one of the connected streams", 2025-11-25, basic/transports, Multiple Connections).
pub(super) fn listen(session: &Arc<Session>, context: Context) -> Reply {
    let listeners = session.listeners();
    let reader = {
        let mut readers = listeners.readers();
        let standing = readers.standing.upgrade().unwrap_or_else(|| {
            let standing = Arc::new(AsyncMutex::new(Standing::new(session, context)));
            readers.standing = Arc::downgrade(&standing);
            standing
        });
        readers.next += 1;
        let id = readers.next;
        readers.ids.push(id);
        // Only a reply that is being read keeps the session alive.
        Reader { id, turn: listeners.turn.subscribe(), standing, session: Arc::downgrade(session) }
    };
    listeners.turn.send_replace(reader.id);
    Reply::stream(futures_util::stream::unfold(reader, |mut reader| async move {
        reader.next().await.map(|message| (Ok::<_, CallError>(message), reader))
    }))
}

/// One reader of the standing stream.
struct Reader {
    id: u64,
    turn: watch::Receiver<u64>,
    standing: Arc<AsyncMutex<Standing>>,
    session: Weak<Session>,
}

impl Reader {
    async fn next(&mut self) -> Option<Message> {
        let mut turn = self.turn.clone();
        loop {
            self.turn.wait_for(|turn| *turn == self.id).await.ok()?;
            tokio::select! {
                message = async { self.standing.lock().await.next().await } => return message,
                passed_on = turn.wait_for(|turn| *turn != self.id) => drop(passed_on.ok()?),
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(session) = self.session.upgrade() else { return };
        let newest = {
            let mut readers = session.listeners().readers();
            readers.ids.retain(|id| *id != self.id);
            readers.ids.last().copied()
        };
        if let Some(newest) = newest {
            session.listeners().turn.send_replace(newest);
        }
    }
}

/// The subscription behind a client's standing stream.
struct Standing {
    wanted: watch::Receiver<(u64, Hearing)>,
    session: Weak<Session>,
    context: Context,
    /// The number of the current request, and its filter.
    number: u64,
    filter: Option<Bytes>,
    current: Option<Stream>,
    /// The stream that is to replace `current`.
    next: Option<Stream>,
    pause: Duration,
    /// Whether there was no subscription for a while.
    has_missed: bool,
    /// The notifications that make up for it.
    to_tell: VecDeque<Message>,
    /// When to listen again.
    due: Option<Instant>,
}

struct Stream {
    reply: Reply,
    machine: Listening,
}

impl Stream {
    /// Returns the next event of the stream.
    async fn next_event(stream: &mut Option<Self>) -> ListenEvent {
        let Some(stream) = stream else { return std::future::pending().await };
        match stream.reply.next().await {
            Some(Ok(message)) => stream.machine.handle_message(message),
            Some(Err(_)) | None => ListenEvent::Ended,
        }
    }
}

impl Standing {
    fn new(session: &Arc<Session>, context: Context) -> Self {
        Self {
            wanted: session.listeners().wanted.subscribe(),
            session: Arc::downgrade(session),
            context,
            number: 0,
            filter: None,
            current: None,
            next: None,
            pause: RELISTEN_FIRST,
            has_missed: false,
            to_tell: VecDeque::new(),
            due: None,
        }
    }

    /// The next message for the client; `None` once its session has ended. Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Option<Message> {
        loop {
            self.follow()?;
            if let Some(message) = self.to_tell.pop_front() {
                return Some(message);
            }
            let due = self.due;
            tokio::select! {
                // The old stream's messages come first.
                biased;
                heard = Stream::next_event(&mut self.current) => match heard {
                    ListenEvent::Pass(message) => return Some(message),
                    ListenEvent::Ended => {
                        self.current = None;
                        self.has_missed = true;
                        self.retry();
                    }
                    ListenEvent::Acknowledged | ListenEvent::Nothing => {}
                },
                heard = Stream::next_event(&mut self.next) => match heard {
                    ListenEvent::Pass(message) => return Some(message),
                    ListenEvent::Ended => {
                        self.next = None;
                        self.has_missed |= self.current.is_none();
                        self.settle();
                        self.retry();
                    }
                    ListenEvent::Acknowledged => {
                        self.pause = RELISTEN_FIRST;
                        self.current = self.next.take();
                        self.settle();
                        if std::mem::take(&mut self.has_missed) {
                            self.to_tell = self.filter.as_deref().map(missed).unwrap_or_default();
                        }
                    }
                    ListenEvent::Nothing => {}
                },
                changed = self.wanted.changed() => changed.ok()?,
                () = async { match due { Some(due) => sleep_until(due).await, None => std::future::pending().await } } => {
                    self.open()?;
                }
            }
        }
    }

    /// Asks for what the client wants to receive now. `None` if its session has ended.
    fn follow(&mut self) -> Option<()> {
        let (number, hearing) = self.wanted.borrow_and_update().clone();
        if number == self.number {
            return Some(());
        }
        self.number = number;
        self.filter = match hearing {
            Hearing::Over => return None,
            Hearing::NotYet => None,
            Hearing::Open(filter) => filter,
        };
        self.open()
    }

    fn open(&mut self) -> Option<()> {
        self.due = None;
        let session = self.session.upgrade()?;
        let Some(filter) = &self.filter else {
            (self.current, self.next) = (None, None);
            self.has_missed = false;
            self.to_tell.clear();
            self.settle();
            return Some(());
        };
        let request = session.listen_request(filter)?;
        self.next = Some(Stream { reply: session.send(request, &self.context), machine: Listening::new() });
        Some(())
    }

    /// Notes that the server has been told of the change, or refuses it.
    fn settle(&self) {
        if let Some(session) = self.session.upgrade() {
            session.listeners().settle(self.number);
        }
    }

    /// Listens again after a pause, unless that is under way. The pauses of different sessions are spread.
    fn retry(&mut self) {
        let Some(session) = self.session.upgrade().filter(|_| self.next.is_none() && self.due.is_none())
        else {
            return;
        };
        let pause = self.pause.mul_f64(0.5 + 0.5 * session.spread());
        self.due = Some(Instant::now() + pause);
        self.pause = (self.pause * 2).min(RELISTEN_MOST);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        // Nobody listens any more, so nothing can be missed.
        self.number = self.wanted.borrow().0;
        self.settle();
    }
}

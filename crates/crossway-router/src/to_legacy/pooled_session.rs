//! One session with the legacy server.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crossway_era::to_legacy::{self, ClientFeatures, Level, Session};
use crossway_proto::{Message, RequestId};
use crossway_service::{Call, CallError, Context, ErrorText, Link, Origin, Reason, Reply, SoleTask};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, timeout};

use super::audience::Audience;
use super::follow::Following;
use super::is_the_end;
use super::pool::Key;
use super::roots::has_roots;
use super::sharers::Sharer;
use super::turns::Turns;
use super::unowned::{Taker, attend};
use crate::limits::OPEN_TIME;
use crate::mailbox::Mailbox;

/// What may become of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It gets calls.
    InService,
    /// It gets no new calls until its server answers again.
    Silent,
    /// It gets no new calls, and those that it has go on.
    Finishing,
    /// It has no calls and gets none: it is to be closed.
    Over,
}

/// What keeps new calls from a session.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Service {
    is_dead: bool,
    /// How many tasks wait for a sign of life of its server.
    silences: usize,
}

impl Service {
    /// Whether the session gets new calls.
    pub(super) fn is_open(self) -> bool {
        !self.is_dead && self.silences == 0
    }
}

/// While it lasts, a session gets no new calls because its server is silent. Does not keep the session alive.
pub(super) struct Silence(Weak<PooledSession>);

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(member) = self.0.upgrade() {
            member.service.send_modify(|service| service.silences -= 1);
            member.turns.next();
        }
    }
}

/// One session with the server, opened when it is first needed.
pub(super) struct PooledSession {
    pub(super) link: Link,
    origin: Origin,
    pub(super) asks: ClientFeatures,
    opened: OnceCell<Session>,
    /// The number of failed openings, and the last one's error.
    failed: Mutex<(u64, Option<CallError>)>,
    service: watch::Sender<Service>,
    /// The number of the server's messages.
    heard: AtomicU64,
    /// Whether a call that may ask its client holds the session.
    is_leased: AtomicBool,
    /// Whether that call waits for its client.
    is_parked: AtomicBool,
    in_use: AtomicUsize,
    /// The number of those that do more than listen: the server may send messages about what they do.
    busy: AtomicUsize,
    /// The number of unsubscribe requests that the server has not answered yet.
    pub(super) unfollowing: AtomicUsize,
    /// The number of calls that ended without an answer, and whose cancellation the server may not have seen yet.
    pub(super) unconfirmed_cancels: AtomicUsize,
    /// The task that pings the server after calls ended without an answer.
    pub(super) pinging: SoleTask,
    /// Whether the client has roots that can be asked for, and the server continues without an answer.
    may_keep_roots: AtomicBool,
    /// The number of requests sent to the server.
    requests: AtomicU64,
    /// Whether several clients may use the session.
    pub(super) is_many: bool,
    /// The number of server messages that belonged to no call, over all sessions of the pool.
    pub(super) strays: Arc<AtomicU64>,
    pub(super) audience: Arc<Audience>,
    turns: Arc<Turns>,
    /// Held while the server is told of the subscriptions.
    pub(super) following: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) used: Instant,
    level: Option<Level>,
    /// The sharer of the last call that may ask its client.
    sharer: Sharer,
    /// The resources that this session was asked to subscribe to, and whether the server accepted.
    pub(super) followed: HashMap<String, bool>,
    /// The task that updates the subscriptions once it has its turn.
    pub(super) next_to_follow: Option<Following>,
    /// The number of ended calls whose cancellation the server has not confirmed, and during which it may have logged.
    pub(super) unheard: usize,
    /// Calls that can take messages outside of all calls.
    pub(super) takers: Vec<Taker>,
    /// The server's requests for which there was no call.
    pub(super) orphans: VecDeque<Message>,
}

impl PooledSession {
    pub(super) fn new(
        link: Link,
        key: &Key,
        audience: Arc<Audience>,
        turns: Arc<Turns>,
        strays: Arc<AtomicU64>,
    ) -> Arc<Self> {
        Arc::new(Self {
            link,
            origin: Origin::unique(),
            may_keep_roots: AtomicBool::new(has_roots(&key.asks)),
            asks: key.asks.clone(),
            is_many: key.owner.is_many(),
            opened: OnceCell::new(),
            failed: Mutex::default(),
            service: watch::Sender::new(Service::default()),
            heard: AtomicU64::new(0),
            is_leased: AtomicBool::new(false),
            is_parked: AtomicBool::new(false),
            in_use: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            unfollowing: AtomicUsize::new(0),
            unconfirmed_cancels: AtomicUsize::new(0),
            pinging: SoleTask::default(),
            requests: AtomicU64::new(0),
            strays,
            audience,
            turns,
            following: tokio::sync::Mutex::default(),
            state: Mutex::new(State {
                used: Instant::now(),
                level: None,
                sharer: Sharer::default(),
                followed: HashMap::new(),
                next_to_follow: None,
                unheard: 0,
                takers: Vec::new(),
                orphans: VecDeque::new(),
            }),
        })
    }

    /// The session, if it is open already.
    pub(super) fn session(&self) -> Option<&Session> {
        self.opened.get()
    }

    /// Opens the session. Concurrent callers share one opening, and its error if it fails.
    ///
    /// # Errors
    ///
    /// When the server can't be reached, refuses, or takes too long. The next caller tries again.
    pub(super) async fn open(self: &Arc<Self>) -> Result<&Session, CallError> {
        let failed_before = self.failures().0;
        let opened = self.opened.get_or_try_init(|| async {
            if let (failed, Some(why)) = &*self.failures()
                && *failed > failed_before
            {
                return Err(CallError::not_sent(why.reason().clone()));
            }
            self.shake_hands().await.map_err(|error| {
                self.note_failure(&error);
                // Nothing of the call has been sent, however the handshake failed.
                let error = CallError::not_sent(error.reason().clone());
                let mut failures = self.failures();
                *failures = (failures.0 + 1, Some(CallError::not_sent(error.reason().clone())));
                error
            })
        });
        opened.await
    }

    async fn shake_hands(self: &Arc<Self>) -> Result<Session, CallError> {
        let answer = self.ask_in_time(Session::opening(&self.asks)).await?;
        let session = Session::opened(&answer).map_err(|error| {
            CallError::not_sent(Reason::Unavailable(ErrorText::private(error.to_string())))
        })?;
        self.send(Session::initialized()).drain().await;
        tokio::spawn(attend(Arc::downgrade(self), self.link.call(Call::listen(self.context()))));
        Ok(session)
    }

    fn failures(&self) -> MutexGuard<'_, (u64, Option<CallError>)> {
        self.failed.lock()
    }

    /// Like [`ask`](Self::ask), with a time limit, for requests that no client is waiting for.
    pub(super) async fn ask_in_time(&self, request: Message) -> Result<Message, CallError> {
        let answer = timeout(OPEN_TIME, self.ask(request)).await;
        answer.unwrap_or_else(|_| Err(CallError::unknown(Reason::TimedOut(OPEN_TIME))))
    }

    /// Sends a request of Crossway's own, and waits for its answer.
    pub(super) async fn ask(&self, mut request: Message) -> Result<Message, CallError> {
        request.set_id(&self.next_id());
        let mut reply = self.send(request);
        while let Some(message) = reply.next().await {
            let message = message?;
            self.note_heard();
            if message.is_response() {
                return Ok(message);
            }
            // It is unknown which client a log message here belongs to.
            if !message.is_method("notifications/message") {
                self.unowned(message);
            }
        }
        Err(CallError::unknown(Reason::InvalidAnswer("there was none".into())))
    }

    /// A new request id for this session.
    pub(super) fn next_id(&self) -> RequestId {
        RequestId::from(self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a message.
    pub(super) fn send(&self, message: Message) -> Reply {
        self.link.call(Call::message(message, self.context()))
    }

    /// Sends a message that has no answer; returns at once.
    pub(super) fn tell(&self, message: Message) {
        tokio::spawn(self.send(message).drain());
    }

    fn context(&self) -> Context {
        Context::new(self.origin, self.session().map(Session::revision))
    }

    /// The context of a client's call on this session. On a shared session, each call gets its own origin, so that no log message is ever
    /// taken for another client's.
    pub(super) fn context_of(&self, context: &Context) -> Context {
        let mut context = context.clone();
        context.origin = if self.is_many { Origin::unique() } else { self.origin };
        context.revision = self.session().map(Session::revision);
        context
    }

    /// Makes the server send log messages of this level.
    pub(super) async fn lower_level(&self, level: Level) {
        let Some(session) = self.session().filter(|session| session.can("logging")) else { return };
        debug_assert!(session.revision().is_legacy());
        if !self.needs_level(level) {
            return;
        }
        self.state().level = Some(level);
        if self.ask_in_time(Session::set_level(level)).await.is_err() {
            self.state().level = None;
        }
    }

    /// Whether the server has to be told of this level first.
    pub(super) fn needs_level(&self, level: Level) -> bool {
        self.session().is_some_and(|session| session.can("logging"))
            && self.state().level.is_none_or(|set| level < set)
    }

    /// Handles the rest of an ended call's mailbox: no question in it is left without an answer. If the call was answered, the server
    /// continues without the answers.
    pub(super) fn refuse_rest(&self, mailbox: &Mailbox, was_answered: bool) {
        for message in mailbox.close().into_iter().filter(Message::is_request) {
            if let Err(message) = self.leave(message, was_answered) {
                self.tell(to_legacy::refuse(&message));
            }
        }
    }

    /// Leaves a question to another call. Gives it back if no call could take it.
    pub(super) fn leave(&self, message: Message, was_answered: bool) -> Result<(), Box<Message>> {
        match self.offer(message) {
            // With several calls in flight it may belong to another one of this client.
            Ok(()) => Ok(()),
            Err(message) if was_answered => self.keep_for_later(*message),
            Err(message) => Err(message),
        }
    }

    /// Whether a question about roots may wait for a later call. Not if it may belong to a call that has just ended.
    pub(super) fn may_keep_roots(&self) -> bool {
        self.may_keep_roots.load(Ordering::Acquire) && !self.may_log_for_ended_calls()
    }

    pub(super) fn note_that_it_waits_for_roots(&self) {
        self.may_keep_roots.store(false, Ordering::Release);
    }

    /// Whether the server may still send messages for an ended call: then it is unknown whose a log message is.
    pub(super) fn may_log_for_ended_calls(&self) -> bool {
        self.unconfirmed_cancels.load(Ordering::Acquire) > 0
    }

    /// Ends the session, if the failure shows that it is gone.
    pub(super) fn note_failure(&self, error: &CallError) {
        if is_the_end(error) {
            self.kill();
        }
    }

    /// Gives the session no new calls for as long as the result lasts. Who listens is told of the end, since the server may be silent for
    /// long; its work, of which some may be nobody's any more, goes on.
    pub(super) fn fall_silent(self: &Arc<Self>) -> Silence {
        self.service.send_modify(|service| service.silences += 1);
        Silence(Arc::downgrade(self))
    }

    /// What may become of the session. Of one that is dead, calls may be in flight: one exchange with a server can break while its
    /// others go on.
    pub(super) fn standing(&self) -> Standing {
        match *self.service.borrow() {
            service if service.is_open() => Standing::InService,
            Service { is_dead: false, .. } => Standing::Silent,
            _ if self.busy() == 0 => Standing::Over,
            _ => Standing::Finishing,
        }
    }

    /// Records a message of the server, as a sign of life.
    pub(super) fn note_heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of messages that the server has sent.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(super) fn kill(&self) {
        self.service.send_modify(|service| service.is_dead = true);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.service.borrow().is_dead
    }

    /// Tells listeners when the session gets no new calls any more.
    pub(super) fn service(&self) -> watch::Receiver<Service> {
        self.service.subscribe()
    }

    /// Whether a call that may ask its client holds the session.
    pub(super) fn is_leased(&self) -> bool {
        self.is_leased.load(Ordering::Acquire)
    }

    /// The sharer of the call that holds the session and may ask its client.
    pub(super) fn leased_by(&self) -> Option<Sharer> {
        self.is_leased().then(|| self.state().sharer.clone())
    }

    /// Whether the session has such a call, and the call does not wait for its client.
    pub(super) fn is_working(&self) -> bool {
        self.is_leased() && !self.is_parked.load(Ordering::Acquire)
    }

    /// Records that the call begins to wait for its client, or continues.
    pub(super) fn note_parked(&self, is_parked: bool) {
        self.is_parked.store(is_parked, Ordering::Release);
        if is_parked {
            self.turns.next();
        }
    }

    /// The number of users that do not merely listen.
    pub(super) fn busy(&self) -> usize {
        self.busy.load(Ordering::Acquire)
    }

    /// Since when the session is unused; `None` while it is used.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.in_use.load(Ordering::Acquire) == 0).then(|| self.state().used)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// A hold on a session for the duration of a call.
pub(super) struct Lease {
    pub(super) member: Arc<PooledSession>,
    pub(super) is_exclusive: bool,
    /// Whether the session was open before.
    pub(super) was_open: bool,
    is_busy: bool,
}

impl Lease {
    /// Holds the session together with others.
    pub(super) fn new(member: &Arc<PooledSession>) -> Self {
        member.in_use.fetch_add(1, Ordering::AcqRel);
        member.busy.fetch_add(1, Ordering::AcqRel);
        let was_open = member.session().is_some();
        Self { member: Arc::clone(member), is_exclusive: false, was_open, is_busy: true }
    }

    /// From now on the hold is a listener's: the server notices nothing of it but its [resources](Audience).
    pub(super) fn listens(&mut self) {
        if std::mem::replace(&mut self.is_busy, false) {
            self.member.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Holds the session for a call that may ask its client; `None` if another such call holds it.
    pub(super) fn exclusive(member: &Arc<PooledSession>, sharer: &Sharer) -> Option<Self> {
        member.is_leased.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        member.state().sharer.clone_from(sharer);
        let mut lease = Self::new(member);
        lease.is_exclusive = true;
        Some(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.listens();
        if self.is_exclusive {
            self.member.is_leased.store(false, Ordering::Release);
            self.member.turns.next();
        }
        if self.member.in_use.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.member.state().used = Instant::now();
        }
    }
}

//! Serves modern requests on a pool of sessions of a legacy upstream.
//!
//! # What a session shares
//!
//! | | [`SharedBy::ClientSession`] | [`SharedBy::ScopeKey`] | [`SharedBy::Everyone`] |
//! |---|---|---|---|
//! | who uses a session with the server | one legacy client's session | who has the same [`ScopeKey`] | everybody |
//! | who has none of that kind | who has the same [`ScopeKey`], and of those that can be asked who introduces itself alike (`clientInfo`) | a session for the one call | - |
//! | clients that can be asked (sampling, elicitation, roots) | the one client's | one call at a time, and calls wait for each other; those that wait for their client keep theirs | the same, among clients that introduce themselves alike (`clientInfo`) |
//! | clients that can't be asked | the one client's | all calls at once | the same |
//! | log level | the client's | the lowest that anyone asked for; a call hears what comes in its course | the same |
//! | log messages that belong to no call | to the client's only call that wants logs | to the only call in flight, if it wants logs and nobody listens to resources | the same |
//! | progress that is told outside of a reply | to the call in flight that has its token | the same | the same |
//! | resource subscriptions | the client's | each hears of its own, in whichever of the key's sessions they change | the same |
//! | changes of lists | to the client; to all with the same [`ScopeKey`] who have no session | to all with the key who listen | to all who listen |
//!
//! If a server asks about roots while no call is running during which it may ask, the question waits for the
//! next such call.
//!
//! The features by which a client can be asked are part of a session's key, so a client never shares a
//! session with one that has other features. Only features that a session supports are advertised to the
//! server. Changes ask nobody for anything: all clients of one key are told of them, whatever their features.

mod audience;
mod cancelled;
mod follow;
mod listening;
mod parked;
mod pool;
mod pooled_session;
mod reply;
mod roots;
mod sharers;
mod turns;
mod unowned;
mod url_elicitation;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossway_era::to_legacy;
use crossway_proto::{Message, Part, RequestId};
use crossway_seal::Keyring;
use crossway_service::{
    Ask, Call, CallError, Connection, Context, Link, Outcome, Reason, Reply, Scope, Upstream,
};

use crate::{ScopeKey, limits};
use pool::Pool;
use reply::CallReply;
use sharers::Sharers;

/// Who shares a session with a legacy server; see the [table](crate::to_legacy).
///
/// A program that does not tell users apart uses [`Everyone`](Self::Everyone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SharedBy {
    /// Each legacy client session has its own upstream session. Modern clients, which have no sessions, share one per [`ScopeKey`]; those
    /// with sampling, elicitation or roots share it only with clients of the same `clientInfo`.
    ClientSession,
    /// Callers with the same [`ScopeKey`], such as a user or a tenant, share one. Each call without a key has one of its own.
    #[default]
    ScopeKey,
    /// All callers share one: a stateful server may show one user what it remembers of another.
    Everyone,
}

/// How a pool behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ToLegacyOptions {
    /// Who shares a session.
    pub shared_by: SharedBy,
    /// Keys that seal `requestState`. By default a random key: a parked call can then be resumed in this process only.
    pub keyring: Option<Arc<Keyring>>,
    /// The most open sessions.
    pub sessions: usize,
    /// The most sessions per key for calls during which the server may send requests to the client. Further calls wait up to
    /// `queue_time`. Sessions that wait for a client's answer are not counted.
    /// It is also the most idle sessions kept for one user whose clients send different `clientInfo`.
    pub at_once: usize,
    /// How long a call waits for one of these sessions before another one is opened all the same.
    pub queue_time: Duration,
    /// How long an unused session is kept.
    pub idle: Duration,
    /// The most calls that wait for their clients, and never more than three quarters of the sessions, since each keeps its own.
    pub parked_calls: usize,
    /// How long a parked call waits for its client.
    pub parked_time: Duration,
    sharers: Sharers,
    is_one_users: bool,
}

impl Default for ToLegacyOptions {
    fn default() -> Self {
        Self {
            shared_by: SharedBy::default(),
            keyring: None,
            sessions: limits::POOL_SESSIONS,
            at_once: limits::POOL_AT_ONCE,
            queue_time: limits::POOL_QUEUE_TIME,
            idle: limits::POOL_IDLE,
            parked_calls: limits::PARKED_CALLS,
            parked_time: limits::PARKED_TIME,
            sharers: Sharers::default(),
            is_one_users: false,
        }
    }
}

impl ToLegacyOptions {
    /// The default options, with sessions shared as given.
    #[must_use]
    pub fn shared_by(shared_by: SharedBy) -> Self {
        Self { shared_by, ..Self::default() }
    }

    /// Sets the most open sessions, of which there may always be two. No more than `sessions` work at once for one key, so that further
    /// calls wait for a turn.
    ///
    /// With one session in all, clients that can be asked would end that by which lists are fetched with each call, and the other way
    /// round.
    #[must_use]
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions.max(2);
        self.at_once = self.at_once.min(sessions);
        self
    }

    /// Sets how long an unused session is kept.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Limits how many exclusive sessions and parked calls one group or user may hold: a group at most three quarters, a user at most
    /// three quarters of the group's part.
    ///
    /// `group_of` and `user_of` map a call's context to its group and user; a call without one is not limited by it.
    #[must_use]
    pub fn shared_among(
        mut self,
        group_of: impl Fn(&Context) -> Option<ScopeKey> + Send + Sync + 'static,
        user_of: impl Fn(&Context) -> Option<ScopeKey> + Send + Sync + 'static,
    ) -> Self {
        self.sharers = Sharers::new(group_of, user_of);
        self
    }

    /// Declares that all callers of the pool are one user, as when each user has a pool. Then no more unused
    /// sessions are kept than for one [`ScopeKey`].
    #[must_use]
    pub fn of_one_user(mut self) -> Self {
        self.is_one_users = true;
        self
    }

    /// Seals the state that clients bring back with these keys.
    #[must_use]
    pub fn keyring(mut self, keyring: Arc<Keyring>) -> Self {
        self.keyring = Some(keyring);
        self
    }
}

/// A legacy upstream for modern requests.
///
/// Each request goes to a session of a pool, translated by [`crossway_era::to_legacy`]. `name` tells upstreams apart in
/// the state that clients bring back, and in logs.
///
/// # Panics
///
/// Calls, and replies that are polled or dropped, panic outside of a tokio runtime with time.
#[derive(Clone)]
pub struct ToLegacy(Arc<Pool>);

impl ToLegacy {
    /// Serves modern requests on `upstream`, which has to be legacy.
    pub fn new(name: &str, upstream: impl Upstream, options: ToLegacyOptions) -> Self {
        Self(Arc::new(Pool::new(name, Box::new(upstream), options)))
    }

    /// The number of sessions with the server.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.len()
    }

    /// The number of progress notifications outside of replies that belonged to no call in flight, or were
    /// too many for a client to read.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.0.strays.load(Ordering::Relaxed)
    }

    /// Ends all sessions. Calls in flight fail.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl Upstream for ToLegacy {
    fn connect(&self, _: Scope) -> Link {
        Link::new(ToLegacyConnection(Arc::clone(&self.0)))
    }
}

struct ToLegacyConnection(Arc<Pool>);

// Its close does nothing: the pool is everybody's.
impl Connection for ToLegacyConnection {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) => match message.request_id() {
                Some(id) => self.request(id, message, call.context),
                None => {
                    // Modern clients send nothing else that could be sent to a legacy session.
                    if message.is_method("notifications/cancelled")
                        && let Some(id) = message.cancelled_id()
                    {
                        self.0.cancel(call.context.origin, &id);
                    }
                    Reply::accepted()
                }
            },
            // On a modern connection, nothing is sent without a request.
            Ask::Listen => Reply::silent(),
        }
    }
}

impl ToLegacyConnection {
    fn request(&self, id: RequestId, message: Message, context: Context) -> Reply {
        let pool = Arc::clone(&self.0);
        if let Err(refused) = to_legacy::check(&message) {
            return Reply::once(Message::error_of(Some(&id), &refused));
        }
        if message.is_method("server/discover") {
            return Reply::pending(async move { pool.discover(&id, &message, &context).await });
        }
        if message.is_method("subscriptions/listen") {
            return listening::listen(pool, id, message, context);
        }
        let state = || message.member(Part::Params, "requestState").filter(|state| *state != b"null");
        if to_legacy::may_ask(&message)
            && let Some(state) = state()
        {
            let state: String = serde_json::from_slice(state).unwrap_or_default();
            if let Some(reply) = pool.wake(&state, &message, &context) {
                return reply;
            }
            let owner = pool.owner(&message, &to_legacy::ClientFeatures::of(&message), &context);
            if !pool.has_asked_anew(&state, &message, &owner) {
                return Reply::once(to_legacy::state_refused(&message));
            }
            if let Some(refused) = to_legacy::url_elicitation_refused(&message) {
                return Reply::once(refused);
            }
        }
        Reply::stream(CallReply::new(pool, id, message, context))
    }
}

/// The status by which the specification has a server say that it does not know a session.
const NOT_FOUND: u16 = 404;

/// A failure as the pool's clients may see it: their own sessions have not ended, only the pool's has.
fn of_the_pool(error: CallError) -> CallError {
    if *error.reason() != Reason::SessionEnded {
        return error;
    }
    match error.outcome() {
        // A server refuses a session in this way, but the call was repeated until its session was a new one: there, the refusal is meant
        // for the call.
        Outcome::Answered => {
            let status = error.status().unwrap_or(NOT_FOUND);
            CallError::answered(Reason::Refused { status, retry_after: None, said: None })
        }
        outcome => {
            CallError::new(Reason::Ended("it has ended the session that calls shared".into()), outcome)
        }
    }
}

/// Whether a failure shows that the session has ended.
fn is_the_end(error: &CallError) -> bool {
    matches!(error.reason(), Reason::SessionEnded | Reason::Ended(_) | Reason::Closing)
}

impl fmt::Debug for ToLegacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToLegacy({:?})", self.0.name)
    }
}

#[cfg(test)]
mod tests;

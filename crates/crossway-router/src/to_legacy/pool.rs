//! The pool of sessions with one legacy server.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use crossway_era::keys;
use crossway_era::to_legacy::{Call, ClientFeatures};
use crossway_proto::{Message, Outcome, Part, RequestId};
use crossway_seal::Keyring;
use crossway_service::{CallError, Context, Origin, Reason, Reply, Scope, SoleTask, Upstream};
use futures_util::future::join_all;
use parking_lot::{Mutex, MutexGuard};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::audience::Audience;
use super::parked::Parked;
use super::pooled_session::{Lease, PooledSession, Standing};
use super::sharers::Sharer;
use super::turns::{Turn, Turns};
use super::{SharedBy, ToLegacyOptions};
use crate::guard::group::part;
use crate::limits::{POOL_RESERVED, POOL_SWEEP};
use crate::mailbox::Mailbox;
use crate::{ClientSession, ScopeKey};

/// The sessions with one server, and the calls that wait for their clients.
pub(super) struct Pool {
    pub(super) name: Box<str>,
    upstream: Box<dyn Upstream>,
    pub(super) options: ToLegacyOptions,
    pub(super) keyring: Option<Arc<Keyring>>,
    state: Mutex<State>,
    sweeper: SoleTask,
    pub(super) strays: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    groups: HashMap<Key, Group>,
    /// The calls that a message can cancel.
    calls: HashMap<(Origin, RequestId), Weak<Mailbox>>,
    pub(super) parked: HashMap<u128, Parked>,
    is_closed: bool,
}

/// The sessions of one key.
#[derive(Default)]
struct Group {
    members: Vec<Arc<PooledSession>>,
    /// The audience that this key shares with all keys that get the same notifications ([`Owner::hears_with`]).
    audience: Arc<Audience>,
    turns: Arc<Turns>,
}

impl Group {
    /// The number of sessions with a call that does not wait for its client, without dead ones.
    fn working(&self) -> usize {
        self.members.iter().filter(|member| member.is_working() && !member.is_dead()).count()
    }
}

/// How a call holds a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Shared with others.
    Shared,
    /// Shared with others, to listen. May replace a session that was unused for a while, but none with listeners.
    Listen,
    /// By a call during which the server may ask its client: no other such call may have the session. Waiting
    /// calls come first.
    Exclusive,
    /// The same, by a call from the queue, which may be the next.
    ExclusiveQueued,
    /// The same, by a call that has waited long enough.
    ExclusiveOverdue,
}

/// Who may use a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) owner: Owner,
    pub(super) asks: ClientFeatures,
}

/// Whose a session is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Everybody,
    /// Clients, of one key or of all, with the same `clientInfo` (JSON text): the session has what one of
    /// them has told the server, such as its roots.
    SameClientInfo(Option<ScopeKey>, Box<[u8]>),
    Keyed(ScopeKey),
    Client(ClientSession),
    /// One call's.
    Call(Origin),
}

impl Owner {
    /// Whether it may stand for more than one client.
    pub(super) fn is_many(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::Call(_))
    }

    /// Whether clients of one owner are told of changes in the sessions of the other. Those with the same key
    /// are, whatever they can be asked and whatever their `clientInfo` is: a change asks nobody for anything.
    fn hears_with(&self, other: &Self) -> bool {
        match (self.is_many(), other.is_many()) {
            (true, true) => self.key() == other.key(),
            _ => self == other,
        }
    }

    /// The user's or tenant's key, if calls have one.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Keyed(key) | Self::SameClientInfo(Some(key), _) => Some(key.as_str()),
            Self::Everybody | Self::SameClientInfo(None, _) | Self::Client(_) | Self::Call(_) => None,
        }
    }
}

impl Pool {
    pub(super) fn new(name: &str, upstream: Box<dyn Upstream>, options: ToLegacyOptions) -> Self {
        // Without randomness there is nothing to seal with, and no call is parked.
        let keyring = options.keyring.clone().or_else(|| Keyring::random().ok().map(Arc::new));
        Self {
            name: name.into(),
            upstream,
            options,
            keyring,
            state: Mutex::default(),
            sweeper: SoleTask::default(),
            strays: Arc::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.state().living().count()
    }

    /// The owner of the session that a call uses.
    pub(super) fn owner(&self, message: &Message, asks: &ClientFeatures, context: &Context) -> Owner {
        let own = || Owner::Call(Origin::unique());
        let key = || context.extensions.get::<ScopeKey>().cloned();
        let alike = |key| {
            Owner::SameClientInfo(
                key,
                message.member(Part::Meta, keys::CLIENT_INFO).unwrap_or_default().into(),
            )
        };
        match self.options.shared_by {
            SharedBy::Everyone if asks.is_empty() => Owner::Everybody,
            SharedBy::Everyone => alike(None),
            SharedBy::ScopeKey => key().map_or_else(own, Owner::Keyed),
            SharedBy::ClientSession => match (context.extensions.get::<ClientSession>(), key()) {
                (Some(session), _) => Owner::Client(*session),
                // A modern client has no session that groups its requests.
                (None, Some(key)) if asks.is_empty() => Owner::Keyed(key),
                (None, Some(key)) => alike(Some(key)),
                (None, None) => own(),
            },
        }
    }

    /// Leases a session to a call that shares it with others.
    ///
    /// # Errors
    ///
    /// When the limit of sessions is reached, and all are in use.
    pub(super) fn lease(self: &Arc<Self>, owner: Owner, asks: &ClientFeatures) -> Result<Lease, CallError> {
        self.lease_beside(owner, asks, Hold::Shared)
    }

    /// The same, to listen.
    pub(super) fn lease_to_listen(
        self: &Arc<Self>,
        owner: Owner,
        asks: &ClientFeatures,
    ) -> Result<Lease, CallError> {
        self.lease_beside(owner, asks, Hold::Listen)
    }

    fn lease_beside(
        self: &Arc<Self>,
        owner: Owner,
        asks: &ClientFeatures,
        hold: Hold,
    ) -> Result<Lease, CallError> {
        self.keep_swept();
        match self.hold(&Key { owner, asks: asks.clone() }, hold, &Sharer::default())? {
            Turn::Now(lease) => Ok(lease),
            // It waits for nobody.
            Turn::Later(_) => Err(CallError::not_sent(Reason::Closing)),
        }
    }

    /// Leases a session to a call during which the server may ask its client: no other such call has it.
    ///
    /// # Errors
    ///
    /// As [`lease`](Self::lease).
    pub(super) fn lease_alone(self: &Arc<Self>, key: &Key, sharer: &Sharer) -> Result<Turn, CallError> {
        self.keep_swept();
        self.hold(key, if key.owner.is_many() { Hold::Exclusive } else { Hold::Shared }, sharer)
    }

    pub(super) fn hold(&self, key: &Key, hold: Hold, sharer: &Sharer) -> Result<Turn, CallError> {
        let lease = |member: &Arc<PooledSession>| match hold {
            Hold::Shared | Hold::Listen => Some(Lease::new(member)),
            Hold::Exclusive | Hold::ExclusiveQueued | Hold::ExclusiveOverdue => {
                Lease::exclusive(member, sharer)
            }
        };
        let mut state = self.state();
        if state.is_closed {
            return Err(CallError::not_sent(Reason::Closing));
        }
        if let Some(group) = state.groups.get(key) {
            if hold == Hold::Exclusive && group.turns.are_waited_for() {
                return Ok(Turn::Later(Arc::clone(&group.turns)));
            }
            let mut in_service =
                group.members.iter().filter(|member| member.standing() == Standing::InService);
            if let Some(lease) = in_service.find_map(lease) {
                return Ok(Turn::Now(lease));
            }
            let may_wait = matches!(hold, Hold::Exclusive | Hold::ExclusiveQueued);
            if may_wait && group.working() >= self.options.at_once.max(1) {
                return Ok(Turn::Later(Arc::clone(&group.turns)));
            }
        }
        state.bury(key);
        let full = |why: &'static str| Err(CallError::not_sent(Reason::OverLimit(why.into())));
        if !matches!(hold, Hold::Shared | Hold::Listen) && !state.has_room_for(sharer, self.options.sessions)
        {
            return full("as many sessions with the MCP server as you may have are in use");
        }
        if key.owner.key().is_some() || self.options.is_one_users {
            state.end_spare(key, self.options.at_once);
        }
        if state.living().count() >= self.options.sessions && !state.evict(hold) {
            return full("all sessions with the MCP server are in use");
        }
        let group = state.group(key);
        let scope = if key.owner.is_many() { Scope::Pooled } else { Scope::Session };
        let link = self.upstream.connect(scope);
        let (audience, turns) = (Arc::clone(&group.audience), Arc::clone(&group.turns));
        let member = PooledSession::new(link, key, audience, turns, Arc::clone(&self.strays));
        group.members.push(Arc::clone(&member));
        lease(&member).map(Turn::Now).ok_or(CallError::not_sent(Reason::Closing))
    }

    /// The open sessions whose changes the users of `member` are told of, including itself.
    pub(super) fn open_beside(&self, member: &PooledSession) -> Vec<Arc<PooledSession>> {
        let state = self.state();
        let groups = state.groups.values();
        let groups = groups.filter(|group| Arc::ptr_eq(&group.audience, &member.audience));
        let members = groups.flat_map(|group| &group.members);
        let in_service = members.filter(|member| member.standing() == Standing::InService);
        in_service.filter(|member| member.session().is_some()).cloned().collect()
    }

    pub(super) async fn discover(
        self: &Arc<Self>,
        id: &RequestId,
        message: &Message,
        context: &Context,
    ) -> Reply {
        let asks = ClientFeatures::of(message);
        let lease = match self.lease(self.owner(message, &asks, context), &asks) {
            Ok(lease) => lease,
            Err(error) => return Reply::failed(error),
        };
        match lease.member.open().await {
            Ok(session) => Reply::once(session.discovered(id)),
            Err(error) => Reply::failed(error),
        }
    }

    /// Registers a call that a message can cancel.
    pub(super) fn note_call(&self, origin: Origin, id: &RequestId, mailbox: &Arc<Mailbox>) {
        self.state().calls.insert((origin, id.clone()), Arc::downgrade(mailbox));
    }

    pub(super) fn forget_call(&self, origin: Origin, id: &RequestId, mailbox: &Arc<Mailbox>) {
        let (mut state, key) = (self.state(), (origin, id.clone()));
        // A client that has two calls of one id can cancel the later one.
        if state.calls.get(&key).is_some_and(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(mailbox))) {
            state.calls.remove(&key);
        }
    }

    pub(super) fn cancel(&self, origin: Origin, id: &RequestId) {
        let mailbox = self.state().calls.remove(&(origin, id.clone())).and_then(|mailbox| mailbox.upgrade());
        if let Some(mailbox) = mailbox {
            mailbox.cancel();
        }
    }

    /// Keeps a call that waits for its client. Returns it if too many do.
    pub(super) fn keep(&self, handle: u128, parked: Parked) -> Result<(), Box<Parked>> {
        let mut state = self.state();
        // Some sessions are left for calls that need no answer from anybody.
        let most = self.options.parked_calls.min(part(self.options.sessions));
        let others = state.parked.values().map(|other| &other.sharer);
        if state.parked.len() >= most || !parked.sharer.has_room(most, others) {
            return Err(Box::new(parked));
        }
        // Another call may have a session instead.
        parked.lease.member.note_parked(true);
        state.parked.insert(handle, parked);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn parked(&self) -> usize {
        self.state().parked.len()
    }

    /// Takes a call that waits, if `is_right` says so.
    pub(super) fn take(&self, handle: u128, is_right: impl FnOnce(&Parked) -> bool) -> Option<Parked> {
        let mut state = self.state();
        state.parked.get(&handle).filter(|parked| is_right(parked))?;
        let mut parked = state.parked.remove(&handle)?;
        // Else its timer would outlive it.
        parked.expiry.take().inspect(|expiry| expiry.abort());
        parked.lease.member.note_parked(false);
        Some(parked)
    }

    pub(super) async fn close(&self) {
        let (members, parked) = {
            let mut state = self.state();
            state.is_closed = true;
            state.groups.values().for_each(|group| group.turns.end());
            let members: Vec<_> = state.groups.drain().flat_map(|(_, group)| group.members).collect();
            (members, std::mem::take(&mut state.parked))
        };
        for parked in parked.into_values() {
            // Else its timer would outlive it.
            parked.expiry.inspect(AbortHandle::abort);
        }
        members.iter().for_each(|member| member.kill());
        join_all(members.iter().map(|member| member.link.close())).await;
    }

    /// The answer to a call for which there is no room to wait.
    pub(super) fn no_room(call: &Call, outcome: Outcome) -> Message {
        use crossway_proto::{ErrorCode, ErrorObject};
        let why = "too many calls wait for their clients; try again soon";
        let error = ErrorObject::of_call(ErrorCode::OVER_LIMIT, why, outcome);
        let mut answer = call.request().error_response(&error);
        // The request is the server's, under an id of the pool's.
        answer.set_id(call.id());
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Starts the task that ends unused sessions, unless it runs.
    fn keep_swept(self: &Arc<Self>) {
        let Some(running) = self.sweeper.claim() else { return };
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            let _running = running;
            loop {
                sleep(POOL_SWEEP).await;
                let Some(pool) = pool.upgrade() else { return };
                pool.sweep();
            }
        });
    }

    fn sweep(&self) {
        let idle = self.options.idle;
        let unused = {
            let mut state = self.state();
            state.take_out(|key, member| {
                let is_used_up = matches!(key.owner, Owner::Call(_));
                member.standing() == Standing::Over
                    || member.idle_since().is_some_and(|since| is_used_up || since.elapsed() >= idle)
            })
        };
        for member in unused {
            tracing::debug!(upstream = %self.name, "a session that nobody uses is ended");
            tokio::spawn(member.link.close());
        }
    }
}

impl State {
    /// All sessions but dead ones, which get no more calls.
    fn living(&self) -> impl Iterator<Item = &Arc<PooledSession>> {
        self.groups.values().flat_map(|group| &group.members).filter(|member| !member.is_dead())
    }

    /// Whether one more exclusive session may be opened for this sharer.
    fn has_room_for(&self, sharer: &Sharer, sessions: usize) -> bool {
        if *sharer == Sharer::default() {
            return true;
        }
        let leased: Vec<Sharer> = self.living().filter_map(|member| member.leased_by()).collect();
        sharer.has_room(sessions, leased.iter())
    }

    /// The sessions of a key; none if it is new.
    fn group(&mut self, key: &Key) -> &mut Group {
        if !self.groups.contains_key(key) {
            let other = self.groups.iter().find(|(other, _)| other.owner.hears_with(&key.owner));
            let audience = other.map(|(_, group)| Arc::clone(&group.audience)).unwrap_or_default();
            self.groups.insert(key.clone(), Group { audience, ..Group::default() });
        }
        self.groups.entry(key.clone()).or_default()
    }

    /// Closes the sessions of a key that are over.
    fn bury(&mut self, key: &Key) {
        for member in self.take_out(|other, member| other == key && member.standing() == Standing::Over) {
            tokio::spawn(member.link.close());
        }
    }

    /// Ends the session without calls that was used the longest time ago. One whose server is silent goes
    /// first, and one that only has listeners last, and only for a call. A listener gets none that was used a
    /// short time ago, or it and calls would end each other's sessions. Returns false if there is none.
    fn evict(&mut self, hold: Hold) -> bool {
        let may_end = |member: &&Arc<PooledSession>| match member.idle_since() {
            Some(since) => hold != Hold::Listen || since.elapsed() >= POOL_RESERVED,
            None => hold != Hold::Listen && member.busy() == 0,
        };
        let oldest = self.living().filter(may_end).min_by_key(|member| {
            let is_silent = member.standing() == Standing::Silent;
            (!is_silent, member.idle_since().is_none(), member.state().used)
        });
        let oldest = oldest.map(Arc::as_ptr);
        let Some(oldest) = oldest else { return false };
        self.end(&[oldest]);
        true
    }

    /// Ends unused sessions of the same user's clients with other `clientInfo`, before a session of this key
    /// is opened: those first that were unused for the longest time, so that with the new one there are at
    /// most `most`.
    fn end_spare(&mut self, key: &Key, most: usize) {
        let Owner::SameClientInfo(user, _) = &key.owner else { return };
        let is_the_users =
            |other: &Key| matches!(&other.owner, Owner::SameClientInfo(other, _) if other == user);
        let groups = self.groups.iter().filter(|(other, group)| {
            // If a call waits, the session is about to be used.
            is_the_users(other) && !group.turns.are_waited_for()
        });
        let idle = groups.flat_map(|(_, group)| &group.members).filter(|member| !member.is_dead());
        let mut idle: Vec<_> =
            idle.filter_map(|member| Some((member.idle_since()?, Arc::as_ptr(member)))).collect();
        let spare = (idle.len() + 1).saturating_sub(most.max(1));
        idle.sort_unstable_by_key(|(since, _)| *since);
        let spare: Vec<_> = idle.into_iter().take(spare).map(|(_, member)| member).collect();
        if !spare.is_empty() {
            self.end(&spare);
        }
    }

    /// Ends these sessions. Their listeners are told.
    fn end(&mut self, members: &[*const PooledSession]) {
        for member in self.take_out(|_, member| members.contains(&Arc::as_ptr(member))) {
            member.kill();
            tokio::spawn(member.link.close());
        }
    }

    fn take_out(&mut self, which: impl Fn(&Key, &Arc<PooledSession>) -> bool) -> Vec<Arc<PooledSession>> {
        let mut out = Vec::new();
        self.groups.retain(|key, group| {
            out.extend(group.members.extract_if(.., |member| which(key, member)));
            // Waiting calls are told of the sessions of this group.
            !group.members.is_empty() || group.turns.are_waited_for()
        });
        out
    }
}

//! One instance of an upstream per scope: a process or client for each user or tenant.

mod lease;
mod ledger;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crossway_service::{
    Ask, Call, CallError, Connection, Context, Link, Reason, Reply, Running, Scope, SoleTask, Upstream, later,
};
use foldhash::HashMap;
use futures_util::StreamExt as _;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

pub use ledger::{Bound, Ledger};

use lease::{Lease, Leased, Used};

use crate::ScopeKey;
use crate::guard::group::part;
use crate::jitter::jittered;
use crate::limits::{FULL_RETRY, POOL_SWEEP, SCOPED_AGE, SCOPED_IDLE, SCOPED_INSTANCES};

/// An upstream with a separate instance for each [`ScopeKey`], such as a child process with a user's token in its environment, or a
/// client with a tenant's headers.
///
/// Instances of different keys share no process, no session and no subscription. If a key includes the version of a secret, its calls
/// never reach an instance made with another version. Calls without a key are refused.
///
/// The first call of a key creates its instance; an instance is dropped once it has been idle for long.
///
/// - **Eviction.** When there are too many, the least recently called instance is evicted. Listeners do not keep an instance, and
///   never evict another: two instances with listeners would evict each other forever.
/// - **Fairness.** Where [groups](Self::group_by) share the room, one group has at most three quarters of it. Beyond that, the group's
///   own instances are evicted.
/// - **Rotation.** A new instance replaces an old one for new calls. The old one continues while there is no room for another, or while
///   one of its calls waits for its client. Calls in flight stay on it. Its listeners (`subscriptions/listen`) are ended, so that their
///   clients subscribe again.
///
/// Clones share the instances.
///
/// # Panics
///
/// Calls panic outside of a tokio runtime with time.
#[derive(Clone)]
pub struct Scoped(Arc<Shared>);

/// Limits of the number and lifetime of instances.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ScopedOptions {
    /// The most instances, at least 1.
    pub instances: usize,
    /// How long an unused instance is kept.
    pub idle: Duration,
    /// How long an instance gets new calls, at most; the actual time is at least half of it.
    pub age: Duration,
}

impl Default for ScopedOptions {
    fn default() -> Self {
        Self { instances: SCOPED_INSTANCES, idle: SCOPED_IDLE, age: SCOPED_AGE }
    }
}

impl ScopedOptions {
    /// Sets the most instances, at least 1.
    #[must_use]
    pub fn instances(mut self, instances: usize) -> Self {
        self.instances = instances.max(1);
        self
    }

    /// Sets how long an unused instance is kept.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets how long an instance gets new calls, at most.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }
}

type BoundsOf = dyn Fn(&Context) -> Vec<Bound> + Send + Sync;
type GroupOf = dyn Fn(&Context) -> Option<ScopeKey> + Send + Sync;
type Make = dyn Fn(&ScopeKey, &Context) -> Box<dyn Upstream> + Send + Sync;

struct Shared {
    make: Box<Make>,
    options: ScopedOptions,
    bounds: Option<(Ledger, Box<BoundsOf>)>,
    group_of: OnceLock<Box<GroupOf>>,
    holder_of: OnceLock<Box<GroupOf>>,
    instances: Mutex<HashMap<ScopeKey, Arc<Instance>>>,
    sweeper: SoleTask,
    is_closed: AtomicBool,
}

struct Instance {
    key: ScopeKey,
    group: Option<ScopeKey>,
    /// The owner, regardless of the version of a secret.
    holder: Option<ScopeKey>,
    /// Whether this instance is the holder's last called one.
    is_latest: AtomicBool,
    /// The upstream whose instances include this one.
    among: Weak<Shared>,
    link: Link,
    /// Held because what the link leads to may end with it.
    _upstream: Box<dyn Upstream>,
    calls: AtomicUsize,
    /// The calls that may wait for their clients, including those that wait after their replies have ended.
    kept: AtomicUsize,
    /// The number of these whose reply has not ended.
    replied: AtomicUsize,
    /// The number of calls that are streams, which last as long as their clients like.
    standing: AtomicUsize,
    used: Mutex<Used>,
    /// When the instance becomes old.
    old_at: Instant,
    /// Each value sent ends the standing streams.
    ends: watch::Sender<()>,
}

impl Scoped {
    /// Creates it without instances. `make` creates the instance of a key, given the context of its first call. It must not block.
    pub fn new(
        make: impl Fn(&ScopeKey, &Context) -> Box<dyn Upstream> + Send + Sync + 'static,
        options: ScopedOptions,
    ) -> Self {
        Self::create(Box::new(make), options, None)
    }

    /// Like [`new`](Self::new), with limits that several upstreams share through `ledger`.
    ///
    /// `bounds` returns the limits that a new instance counts against. When one is reached, the instance idle longest among those
    /// counted, of any upstream, is evicted; if none is idle, the call fails as *not sent*.
    pub fn bounded(
        make: impl Fn(&ScopeKey, &Context) -> Box<dyn Upstream> + Send + Sync + 'static,
        options: ScopedOptions,
        ledger: Ledger,
        bounds: impl Fn(&Context) -> Vec<Bound> + Send + Sync + 'static,
    ) -> Self {
        Self::create(Box::new(make), options, Some((ledger, Box::new(bounds))))
    }

    fn create(make: Box<Make>, options: ScopedOptions, bounds: Option<(Ledger, Box<BoundsOf>)>) -> Self {
        let (instances, sweeper, is_closed) = (Mutex::default(), SoleTask::default(), AtomicBool::new(false));
        let (group_of, holder_of) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Shared { make, options, bounds, group_of, holder_of, instances, sweeper, is_closed }))
    }

    /// Limits the room for instances by group: `group_of` maps the context of an instance's first call to its group. Instances without a
    /// group may take all the room. Call once, before the first call.
    pub fn group_by(&self, group_of: impl Fn(&Context) -> Option<ScopeKey> + Send + Sync + 'static) {
        self.0.group_of.get_or_init(|| Box::new(group_of));
    }

    /// Sets who owns an instance regardless of the version of its secret. When an owner calls one of their instances, subscriptions on
    /// their older instances end, so that clients resubscribe with the current secret. Call once, before the first call.
    pub fn hold_by(&self, holder_of: impl Fn(&Context) -> Option<ScopeKey> + Send + Sync + 'static) {
        self.0.holder_of.get_or_init(|| Box::new(holder_of));
    }

    /// Ends the subscriptions on all instances of an owner whose secret was taken away. Calls in flight finish.
    pub fn end_listening(&self, holder: &ScopeKey) {
        for instance in self.0.instances().values().filter(|it| it.holder.as_ref() == Some(holder)) {
            instance.supersede();
        }
    }

    /// The number of instances.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.instances().len()
    }

    /// Whether there are no instances.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the instances for whose keys `keep` is false. Their calls in flight finish, and their listeners are ended.
    pub fn retain(&self, keep: impl Fn(&ScopeKey) -> bool) {
        let dropped: Vec<_> = self.0.instances().extract_if(|key, _| !keep(key)).collect();
        // Outside of the lock: dropping an instance may take a moment.
        for (_, instance) in dropped {
            instance.end_standing();
        }
    }

    /// Ends all instances with their calls in flight and listeners. No instance is created from now on.
    pub async fn close(&self) {
        self.0.is_closed.store(true, Ordering::Release);
        let all: Vec<_> = self.0.instances().drain().collect();
        for (_, instance) in &all {
            instance.end_standing();
        }
        futures_util::future::join_all(all.iter().map(|(_, instance)| instance.link.close())).await;
    }
}

impl Shared {
    /// # Errors
    ///
    /// When the call has no key, or all of the most instances are in use: in total, or among those that count for one of the call's
    /// bounds.
    fn lease(self: &Arc<Self>, is_standing: bool, context: &Context) -> Result<Lease, CallError> {
        let key = key_of(context)?;
        if let Some(lease) = lease_now(&self.instances(), key, is_standing) {
            return Ok(lease);
        }
        match self.lease_anew(key, is_standing, context) {
            // There is no room for another, so an old instance continues.
            Err(full) => match self.instances().get(key) {
                Some(old) => Ok(Lease::new(old, is_standing)),
                None => Err(full),
            },
            made => made,
        }
    }

    /// Leases the existing instance for a message other than a request, which creates none.
    ///
    /// # Errors
    ///
    /// When the call has no key.
    fn lease_made(&self, context: &Context) -> Result<Option<Lease>, CallError> {
        let key = key_of(context)?;
        Ok(self.instances().get(key).map(|instance| Lease::new(instance, false)))
    }

    fn lease_anew(
        self: &Arc<Self>,
        key: &ScopeKey,
        is_standing: bool,
        context: &Context,
    ) -> Result<Lease, CallError> {
        // Dropped after the locks, whatever the result: what an instance leads to may end with it.
        let mut gone = Vec::new();
        let bounds = self.bounds.as_ref().map(|(ledger, bounds)| (ledger, bounds(context)));
        let group = self.group_of.get().and_then(|group_of| group_of(context));
        // The ledger's lock is held until the new instance is counted, and always taken before the lock of the instances.
        let mut counted =
            bounds.filter(|(_, bounds)| !bounds.is_empty()).map(|(it, bounds)| (it, it.lock(), bounds));
        if let Some((ledger, counts, bounds)) = &mut counted {
            // Another call may have created the instance, and made room for it, while this one waited for the lock.
            if let Some(lease) = lease_now(&self.instances(), key, is_standing) {
                return Ok(lease);
            }
            if let Err(full) = counts.make_room(bounds, is_standing, &mut gone) {
                // If there is an old instance, the call continues on it.
                if !is_standing && !self.instances().contains_key(key) {
                    ledger.refused(context);
                }
                return Err(full);
            }
        }
        let mut instances = self.instances();
        if self.is_closed.load(Ordering::Acquire) {
            return Err(CallError::not_sent(Reason::Closing));
        }
        // Another call may have created it meanwhile.
        if let Some(lease) = lease_now(&instances, key, is_standing) {
            return Ok(lease);
        }
        if !instances.contains_key(key) {
            gone.extend(self.make_room(&mut instances, group.as_ref(), is_standing)?);
        }
        let (upstream, now) = ((self.make)(key, context), Instant::now());
        let instance = Arc::new(Instance {
            key: key.clone(),
            group,
            holder: self.holder_of.get().and_then(|holder_of| holder_of(context)),
            is_latest: AtomicBool::new(false),
            among: Arc::downgrade(self),
            link: upstream.connect(Scope::Shared),
            _upstream: upstream,
            calls: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            replied: AtomicUsize::new(0),
            standing: AtomicUsize::new(0),
            used: Mutex::new(Used { at_all: now, by_call: now }),
            old_at: later(now, jittered(self.options.age)),
            ends: watch::Sender::new(()),
        });
        let lease = Lease::new(&instance, is_standing);
        if let Some((_, counts, bounds)) = &mut counted {
            counts.count(bounds, &instance);
        }
        if !is_standing {
            note_called(&instances, &instance);
        }
        if let Some(old) = instances.insert(key.clone(), instance) {
            old.end_standing();
            gone.push(old);
        }
        drop((instances, counted));
        self.keep_swept();
        Ok(lease)
    }

    /// Removes the least recently called instance if there is no room for one more: in total, or for the group. Removes none for a
    /// standing stream.
    fn make_room(
        &self,
        instances: &mut HashMap<ScopeKey, Arc<Instance>>,
        group: Option<&ScopeKey>,
        is_standing: bool,
    ) -> Result<Option<Arc<Instance>>, CallError> {
        let most = self.options.instances;
        let share = part(most);
        let is_theirs = |instance: &Instance| instance.group.as_ref() == group;
        let theirs = || instances.values().filter(|instance| is_theirs(instance)).count();
        // Counted only where it can matter.
        let of_group = group.is_some() && instances.len() >= share && theirs() >= share;
        if !of_group && instances.len() < most {
            return Ok(None);
        }
        let some = instances.iter().filter(|(_, it)| !is_standing && (!of_group || is_theirs(it)));
        let idle = some.filter_map(|(key, instance)| Some((instance.uncalled_since()?, key)));
        let oldest = idle.min_by_key(|(since, _)| *since).map(|(_, key)| key.clone());
        let gone = oldest.and_then(|key| instances.remove(&key)).ok_or_else(|| {
            let why = "as many connections with this server as there may be are in use".into();
            CallError::not_sent(Reason::OverLimit(why)).with_retry_after(FULL_RETRY)
        })?;
        gone.end_standing();
        Ok(Some(gone))
    }

    fn keep_swept(self: &Arc<Self>) {
        if let Some(running) = self.sweeper.claim() {
            tokio::spawn(sweep(Arc::downgrade(self), running));
        }
    }

    fn instances(&self) -> MutexGuard<'_, HashMap<ScopeKey, Arc<Instance>>> {
        self.instances.lock()
    }
}

/// The instance of a key, unless there is none or it is to be replaced.
fn lease_now(
    instances: &HashMap<ScopeKey, Arc<Instance>>,
    key: &ScopeKey,
    is_standing: bool,
) -> Option<Lease> {
    let instance = instances.get(key).filter(|it| !it.is_old())?;
    if !is_standing {
        note_called(instances, instance);
    }
    Some(Lease::new(instance, is_standing))
}

/// Notes that an instance is called. Listeners on its holder's other instances are ended: those use an outdated secret.
fn note_called(instances: &HashMap<ScopeKey, Arc<Instance>>, called: &Instance) {
    if called.holder.is_none() || called.is_latest.load(Ordering::Acquire) {
        return;
    }
    let others = instances.values().filter(|it| it.holder == called.holder && it.key != called.key);
    others.for_each(|other| other.supersede());
    called.is_latest.store(true, Ordering::Release);
}

fn key_of(context: &Context) -> Result<&ScopeKey, CallError> {
    context.extensions.get::<ScopeKey>().ok_or_else(|| {
        let why = "nobody has said for whom this call is".into();
        CallError::not_sent(Reason::Unavailable(why))
    })
}

/// Drops unused instances, until the upstream is gone.
async fn sweep(shared: Weak<Shared>, _running: Running) {
    loop {
        sleep(POOL_SWEEP).await;
        let Some(shared) = shared.upgrade() else { return };
        let idle = shared.options.idle;
        let is_over = |instance: &Instance| {
            instance.idle_since().is_some_and(|since| since.elapsed() >= idle)
                || (instance.is_old() && instance.stands_alone())
        };
        let dropped: Vec<_> = shared.instances().extract_if(|_, instance| is_over(instance)).collect();
        for (_, instance) in &dropped {
            instance.end_standing();
        }
        drop(dropped);
    }
}

impl Instance {
    /// Removes this instance from its upstream's, unless it has got a call by now.
    fn take_away(&self) -> Option<Arc<Self>> {
        let among = self.among.upgrade()?;
        let mut instances = among.instances();
        let it = instances.get(&self.key).filter(|it| std::ptr::eq(&***it, self))?;
        it.uncalled_since()?;
        self.end_standing();
        instances.remove(&self.key)
    }

    /// Whether a new instance is to replace this one. Never while a call waits for its client, who answers with another call.
    fn is_old(&self) -> bool {
        self.old_at <= Instant::now() && !self.has_waiting()
    }

    /// Whether a call waits for its client: its reply has ended, but the call has not.
    fn has_waiting(&self) -> bool {
        self.kept.load(Ordering::Acquire) > self.replied.load(Ordering::Acquire)
    }

    /// Whether all calls of the instance are standing streams.
    fn stands_alone(&self) -> bool {
        self.calls.load(Ordering::Acquire) == self.standing.load(Ordering::Acquire) && !self.has_waiting()
    }

    /// Ends the standing streams.
    fn end_standing(&self) {
        self.ends.send_replace(());
    }

    /// Notes that the holder has another instance by now, or none.
    fn supersede(&self) {
        self.is_latest.store(false, Ordering::Release);
        self.end_standing();
    }

    /// When the last call ended; `None` while there is a call, or one waits for its client.
    fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.calls.load(Ordering::Acquire) == 0 && !self.has_waiting();
        is_idle.then(|| self.used.lock().at_all)
    }

    /// When the last call other than a standing stream ended; `None` while there is one, or one waits for its client.
    fn uncalled_since(&self) -> Option<Instant> {
        self.stands_alone().then(|| self.used.lock().by_call)
    }
}

impl Upstream for Scoped {
    fn connect(&self, _: Scope) -> Link {
        Link::new(ScopedConnection(Arc::clone(&self.0)))
    }
}

struct ScopedConnection(Arc<Shared>);

impl Connection for ScopedConnection {
    fn call(&self, call: Call) -> Reply {
        let is_standing = call.is_method("subscriptions/listen");
        let lease = match &call.ask {
            // A modern connection has no messages that were not asked for.
            Ask::Listen => return Reply::silent(),
            // Without an instance, there is nothing that the message could refer to.
            Ask::Message(message) if !message.is_request() => match self.0.lease_made(&call.context) {
                Ok(Some(lease)) => Ok(lease),
                Ok(None) => return Reply::accepted(),
                Err(error) => Err(error),
            },
            Ask::Message(_) => self.0.lease(is_standing, &call.context),
        };
        match lease {
            Ok(mut lease) => match lease.over() {
                Some(over) => Reply::stream(Leased::new(lease, call).take_until(Box::pin(over))),
                None => Reply::stream(Leased::new(lease, call)),
            },
            Err(error) => Reply::failed(error),
        }
    }
}

impl fmt::Debug for Scoped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("instances", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

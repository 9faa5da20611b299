//! Cached lists of an upstream for one view.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use crossway_era::from_legacy::SPOKEN;
use crossway_service::{CallError, Context, Link, Origin, Reason, later};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::contents::Contents;
use super::fetch::{Failure, client_meta, has_resources, listen};
use super::list::{Difference, Items, ListKind};
use super::{Asker, Change, ListCache, ListChange, ListState, View};
use crate::limits::{
    FAILED_LIST_PAUSE, FAILED_LIST_PAUSE_MOST, FIRST_LIST_TIME, LIST_KEPT, LIST_TIME, REFETCH_PAUSE,
    REFRESH_LEAST, VIEW_IDLE,
};

/// What is known of an upstream for those who see the same.
pub(crate) struct Entry {
    pub(super) link: Link,
    /// What requests say of the client: JSON text.
    pub(super) meta: Bytes,
    context: Mutex<Context>,
    /// Whose lists these are, and who tells them.
    list: (Arc<str>, Arc<View>),
    contents: Arc<Contents>,
    /// See [`ListCache::is_without_resources`].
    is_without_resources: Arc<AtomicBool>,
    /// Whether it has told those who see this that it has resources.
    has_resources: Mutex<Option<bool>>,
    changed: broadcast::Sender<Change>,
    slots: [Slot; 4],
    used: Mutex<Instant>,
    failure: Mutex<Option<Arc<Failure>>>,
    /// What the upstream says of itself: the result of `server/discover`, once it was asked.
    said: Mutex<Option<Bytes>>,
    /// Whether it was, whatever came of it.
    was_asked: AtomicBool,
    asking: tokio::sync::Mutex<()>,
    /// How many want to hear of changes, whether they ask for lists or not.
    kept: AtomicUsize,
    is_listening: AtomicBool,
    /// Dropped with the entry: whoever listens on its behalf ends.
    alive: watch::Sender<()>,
}

/// One list.
#[derive(Default)]
struct Slot {
    /// The [generation](Listed::generation) of what is known; 0 while nothing is.
    generation: AtomicU64,
    held: Mutex<Held>,
    fetching: tokio::sync::Mutex<()>,
    /// A fetch has been asked for, and has not begun.
    is_queued: AtomicBool,
    /// It is tried again and again, for nobody has ever had it, or had it since it changed.
    is_tried: AtomicBool,
    /// The upstream has said that it is another; what is fetched from now on is not from before.
    is_outdated: AtomicBool,
}

#[derive(Default)]
struct Held {
    list: Option<List>,
    /// Somebody was answered without this list.
    is_missed: bool,
    /// While nothing is known: when it is tried again, and why it is not known. Set once it has failed; then nobody waits for it.
    failed: Option<(Instant, Arc<Failure>)>,
    /// When it was last asked for.
    asked: Option<Instant>,
}

#[derive(Clone)]
struct List {
    listed: Listed,
    fetched: Instant,
    /// From when on it is to be fetched again, when it is asked for.
    expires: Instant,
}

/// A list's items as they were at one time.
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) items: Arc<Items>,
    /// Two lists of one upstream have the same if and only if their items are the same.
    pub(crate) generation: u64,
}

/// As long as it is there, changes are listened for.
pub(crate) struct Kept(Arc<Entry>);

impl Entry {
    pub(super) fn new(known: &ListCache, asker: &Asker<'_>, view: Arc<View>) -> Arc<Self> {
        let mut context = Context::new(Origin::unique(), Some(SPOKEN));
        context.extensions = asker.lasting.as_ref().unwrap_or(asker.context).extensions.clone();
        Arc::new(Self {
            link: known.link.clone(),
            meta: client_meta(asker.request, &view),
            context: Mutex::new(context),
            list: (Arc::clone(&known.name), view),
            contents: Arc::clone(&known.contents),
            is_without_resources: Arc::clone(&known.is_without_resources),
            has_resources: Mutex::default(),
            changed: known.changed.clone(),
            slots: Default::default(),
            used: Mutex::new(Instant::now()),
            failure: Mutex::default(),
            said: Mutex::default(),
            was_asked: AtomicBool::new(false),
            asking: tokio::sync::Mutex::default(),
            kept: AtomicUsize::new(0),
            is_listening: AtomicBool::new(false),
            alive: watch::Sender::new(()),
        })
    }

    /// From now on requests are made for this one of those who see the same.
    pub(super) fn asked_by(&self, context: &Context) {
        let extensions = context.extensions.clone();
        let before = std::mem::replace(&mut lock(&self.context).extensions, extensions);
        drop(before);
    }

    /// With what requests are made for them.
    pub(super) fn context(&self) -> Context {
        lock(&self.context).clone()
    }

    pub(super) fn last_used(&self) -> Instant {
        match self.kept.load(Ordering::Acquire) {
            0 => *lock(&self.used),
            _ => Instant::now(),
        }
    }

    /// Changes whenever the list does; 0 while it is not known.
    pub(crate) fn generation(&self, kind: ListKind) -> u64 {
        self.slot(kind).generation.load(Ordering::Acquire)
    }

    pub(super) fn state(&self) -> ListState {
        let has_some = self.slots.iter().any(|slot| slot.held().list.is_some());
        match (lock(&self.failure).as_ref().map(ToString::to_string), has_some) {
            (Some(why), true) => ListState::Stale(why),
            (Some(why), false) => ListState::Failing(why),
            (None, true) => ListState::Ready,
            (None, false) => ListState::Unknown,
        }
    }

    /// The list's items. Waits only while nothing is known, not for long, and not for an upstream that has failed.
    pub(crate) async fn list(self: &Arc<Self>, kind: ListKind) -> Result<Listed, Arc<Failure>> {
        if let Some(known) = self.ask(kind) {
            return known;
        }
        let entry = Arc::clone(self);
        // In a task: what was begun is of use to the next one also if this client does not wait.
        let fetching = tokio::spawn(async move {
            let _one_at_a_time = entry.slot(kind).fetching.lock().await;
            // Who has waited for another has what that one fetched.
            let known = entry.slot(kind).held().list.clone();
            match known {
                Some(list) => Ok(list.listed),
                None => entry.fetch(kind).await,
            }
        });
        let failure = match timeout(FIRST_LIST_TIME, fetching).await {
            Ok(Ok(Ok(listed))) => return Ok(listed),
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(_)) => Arc::new(Failure::Call(CallError::not_sent(Reason::Closing))),
            Err(_) => Arc::new(Failure::Call(CallError::unknown(Reason::TimedOut(FIRST_LIST_TIME)))),
        };
        let mut held = self.slot(kind).held();
        // It may have come in this very moment.
        if let Some(list) = &held.list {
            return Ok(list.listed.clone());
        }
        held.is_missed = true;
        held.failed.get_or_insert_with(|| (Instant::now() + REFRESH_LEAST, Arc::clone(&failure)));
        // One that is slow has not failed yet, and what is begun has the last word. Until then it is known to be slow.
        if lock(&self.failure).is_none() {
            self.failed(&failure);
        }
        drop(held);
        // Nobody waits for it from now on, so it has to come by itself: unless nobody comes after this call who sees the same.
        if self.list.1.is_lasting() {
            self.refresh(kind);
        }
        Err(failure)
    }

    /// Takes note of a failure. Operators are told of the first one after a success, if it is not the upstream's own word: what is left out for
    /// it is told nobody else.
    fn failed(&self, failure: &Arc<Failure>) {
        let before = lock(&self.failure).replace(Arc::clone(failure));
        if before.is_none() && matches!(**failure, Failure::Call(_)) {
            tracing::warn!(upstream = %self.list.0, error = %failure, "an MCP server does not tell its lists; what it has is left out, or as it was");
        }
    }

    /// What the upstream says of itself: the result of `server/discover`, JSON text. Waits only until it is known, and not for long.
    pub(crate) async fn said(&self) -> Option<Bytes> {
        timeout(FIRST_LIST_TIME, async {
            let _one_at_a_time = self.asking.lock().await;
            match self.said_now() {
                Some(said) => Some(said),
                None => self.ask_itself().await,
            }
        })
        .await
        .ok()?
    }

    /// The same, if it is known.
    pub(crate) fn said_now(&self) -> Option<Bytes> {
        lock(&self.said).clone()
    }

    /// Whether it was asked what it says of itself, whatever came of it.
    pub(crate) fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Acquire)
    }

    /// Whether the upstream can be asked for resources, as far as is known. If it was never asked what it says of itself, it is now, in the
    /// background.
    pub(crate) fn may_have_resources(self: &Arc<Self>) -> bool {
        let said = *lock(&self.has_resources);
        if said.is_none() && self.list.1.is_lasting() && !self.was_asked.swap(true, Ordering::AcqRel) {
            let entry = Arc::clone(self);
            tokio::spawn(async move { entry.said().await });
        }
        said != Some(false)
    }

    async fn ask_itself(&self) -> Option<Bytes> {
        self.was_asked.store(true, Ordering::Release);
        let answer = self.answer("server/discover", None).await.ok()?;
        let said = answer.result().map(Bytes::copy_from_slice)?;
        let has_some = has_resources(&said);
        *lock(&self.has_resources) = Some(has_some);
        if self.list.1.is_everybodys() {
            self.is_without_resources.store(!has_some, Ordering::Release);
        }
        *lock(&self.said) = Some(said.clone());
        Some(said)
    }

    /// Somebody is given the list as it is known: it is fetched anew if it has expired. None if nothing is known, and it
    /// has not failed.
    pub(crate) fn ask(self: &Arc<Self>, kind: ListKind) -> Option<Result<Listed, Arc<Failure>>> {
        let now = Instant::now();
        *lock(&self.used) = now;
        if self.list.1.is_lasting() {
            self.keep();
        }
        let mut held = self.slot(kind).held();
        let (known, due) = match (&held.list, &held.failed) {
            (Some(list), _) => (Ok(list.listed.clone()), list.expires),
            (None, Some((again, failure))) => {
                let (failure, again) = (Arc::clone(failure), *again);
                held.is_missed = true;
                (Err(failure), again)
            }
            (None, None) => return None,
        };
        drop(held);
        if due <= now {
            self.refresh(kind);
        }
        Some(known)
    }

    /// Sees to it that changes of these lists are heard of, as long as what is given is there. They are fetched if they are not
    /// known: who is told of a change must not depend on whether somebody else has asked for the list.
    pub(crate) fn kept(self: &Arc<Self>, kinds: &[ListKind]) -> Kept {
        self.kept.fetch_add(1, Ordering::AcqRel);
        self.keep();
        for kind in kinds.iter().copied().filter(|kind| self.ask(*kind).is_none()) {
            let entry = Arc::clone(self);
            // One that fails is noted as missed.
            tokio::spawn(async move { drop(entry.list(kind).await) });
        }
        Kept(Arc::clone(self))
    }

    /// Fetches anew what is known, and lists that somebody was left without.
    pub(super) fn refresh_all(self: &Arc<Self>) {
        for kind in ListKind::ALL {
            let slot = self.slot(kind);
            let is_of_use = {
                let held = slot.held();
                held.list.is_some() || held.failed.is_some()
            };
            if is_of_use {
                slot.is_outdated.store(true, Ordering::Release);
                self.refresh(kind);
            }
        }
        if self.was_asked() {
            let entry = Arc::clone(self);
            tokio::spawn(async move {
                // Until it is known anew, what it said before holds.
                let _one_at_a_time = entry.asking.lock().await;
                drop(timeout(LIST_TIME, entry.ask_itself()).await);
            });
        }
    }

    /// The upstream says that a list has changed.
    pub(super) fn outdate(self: &Arc<Self>, kind: ListKind) {
        let slot = self.slot(kind);
        let is_known = slot.held().list.is_some();
        if is_known || slot.fetching.try_lock().is_err() {
            slot.is_outdated.store(true, Ordering::Release);
            self.refresh(kind);
        } else {
            // Nobody has been given the list. Whoever listens wants to know all the same.
            self.tell(kind, None);
        }
    }

    /// Fetches a list in the background, unless it is about to be. Not more often than the pause allows: an upstream that
    /// tells of changes without end is not asked without end.
    fn refresh(self: &Arc<Self>, kind: ListKind) {
        if self.slot(kind).is_queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let entry = Arc::clone(self);
        tokio::spawn(async move {
            let slot = entry.slot(kind);
            let asked = slot.held().asked;
            if let Some(asked) = asked {
                sleep_until(asked + REFETCH_PAUSE).await;
            }
            let one_at_a_time = slot.fetching.lock().await;
            // Not a store: who finds it queued has told of a change that has to be seen below.
            slot.is_queued.swap(false, Ordering::AcqRel);
            let is_fresh = slot.held().list.as_ref().is_some_and(|list| list.expires > Instant::now());
            if is_fresh && !slot.is_outdated.load(Ordering::Acquire) {
                return;
            }
            // Failures are noted. Who was left without, or waits for a change, has nobody to ask again for them, as long as anybody cares.
            let has_failed = entry.fetch(kind).await.is_err();
            if !has_failed || slot.is_as_told() || slot.is_tried.swap(true, Ordering::AcqRel) {
                return;
            }
            drop(one_at_a_time);
            let weak = Arc::downgrade(&entry);
            drop(entry);
            retry(weak, kind).await;
        });
    }

    /// Whether nobody has asked for long.
    fn is_idle(&self) -> bool {
        self.last_used().elapsed() >= VIEW_IDLE
    }

    /// Fetches a list. Only one at a time.
    async fn fetch(&self, kind: ListKind) -> Result<Listed, Arc<Failure>> {
        let slot = self.slot(kind);
        let was_outdated = slot.is_outdated.swap(false, Ordering::AcqRel);
        slot.held().asked = Some(Instant::now());
        let fetched = match timeout(LIST_TIME, self.pages(kind)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Failure::Call(CallError::unknown(Reason::TimedOut(LIST_TIME)))),
        };
        let again = Instant::now() + REFRESH_LEAST;
        let mut held = slot.held();
        match fetched {
            Ok((items, ttl)) => {
                *lock(&self.failure) = None;
                let expires = again.max(later(Instant::now(), ttl));
                let listed = self.contents.share(items);
                let generation = listed.generation;
                let now = List { listed: listed.clone(), fetched: Instant::now(), expires };
                let before = held.list.replace(now);
                if before.as_ref().is_some_and(|list| list.listed.generation == generation) {
                    return Ok(listed);
                }
                let is_news = before.is_some() || held.is_missed;
                (held.is_missed, held.failed) = (false, None);
                slot.generation.store(generation, Ordering::Release);
                drop(held);
                if is_news {
                    let before = before.map(|list| list.listed.items).unwrap_or_default();
                    let difference = Difference::between(&before, &listed.items);
                    self.tell(kind, Some(difference));
                }
                Ok(listed)
            }
            Err(failure) => {
                let failure = Arc::new(failure);
                self.failed(&failure);
                if was_outdated {
                    slot.is_outdated.store(true, Ordering::Release);
                }
                // Who has no credential any more is not offered what it is needed for.
                let withdrawn = if failure.is_of_missing_credential() { held.list.take() } else { None };
                match &mut held.list {
                    Some(list) => list.expires = again,
                    None => held.failed = Some((again, Arc::clone(&failure))),
                }
                if let Some(list) = withdrawn {
                    held.is_missed = true;
                    slot.generation.store(0, Ordering::Release);
                    drop(held);
                    self.tell(kind, Some(Difference::between(&list.listed.items, &Arc::default())));
                }
                Err(failure)
            }
        }
    }

    /// Sees to it that changes are heard of, as long as somebody asks. What is known from before may have changed where nobody has
    /// listened since. It is fetched anew; and forgotten if it is old, or everybody's, for else one could tell by what is stale that
    /// strangers have asked before.
    fn keep(self: &Arc<Self>) {
        if !self.is_listening.swap(true, Ordering::AcqRel) {
            let kept = if self.list.1.is_everybodys() { Duration::ZERO } else { LIST_KEPT };
            for slot in &self.slots {
                let mut held = slot.held();
                if held.list.as_ref().is_none_or(|list| list.fetched.elapsed() >= kept) {
                    *held = Held::default();
                    slot.generation.store(0, Ordering::Release);
                }
            }
            self.refresh_all();
            tokio::spawn(listen(Arc::downgrade(self), self.alive.subscribe()));
        }
    }

    /// Whether nobody has asked for long. Then nobody listens any more, until somebody asks.
    pub(super) fn has_rested(&self) -> bool {
        if !self.is_idle() {
            return false;
        }
        self.is_listening.swap(false, Ordering::AcqRel);
        // Whoever has come meanwhile may have taken it for listening, and then it has to go on, unless another has begun to.
        self.is_idle() || self.is_listening.swap(true, Ordering::AcqRel)
    }

    fn tell(&self, kind: ListKind, difference: Option<Difference>) {
        let change = ListChange { kind, list: self.list.clone(), difference: difference.map(Arc::new) };
        // Nobody may listen.
        let _ = self.changed.send(Change::List(change));
    }

    fn slot(&self, kind: ListKind) -> &Slot {
        &self.slots[kind.index()]
    }
}

/// Asks for a list again and again that nobody has ever had, or had since it changed. Ends with the entry, and when nobody cares any more.
async fn retry(entry: Weak<Entry>, kind: ListKind) {
    let mut pause = FAILED_LIST_PAUSE;
    loop {
        sleep(pause).await;
        pause = (pause * 2).min(FAILED_LIST_PAUSE_MOST);
        let Some(entry) = entry.upgrade() else { return };
        let slot = entry.slot(kind);
        let _one_at_a_time = slot.fetching.lock().await;
        let is_over = || slot.is_as_told() || entry.is_idle();
        // Failures are noted.
        if is_over() || entry.fetch(kind).await.is_ok() || is_over() {
            slot.is_tried.store(false, Ordering::Release);
            return;
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        *lock(&self.0.used) = Instant::now();
        self.0.kept.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Slot {
    /// Whether it is known, and the upstream has not said since that it is another.
    fn is_as_told(&self) -> bool {
        !self.is_outdated.load(Ordering::Acquire) && self.held().list.is_some()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }
}

/// Each step leaves what is locked whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

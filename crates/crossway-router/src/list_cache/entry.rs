//! Cached lists of an upstream for one view.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use crossway_era::from_legacy::SPOKEN;
use crossway_service::{CallError, Context, Link, Origin, Reason, later};
use parking_lot::{Mutex, MutexGuard};
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

/// The cached lists and self-description of an upstream, for all callers who share a view.
pub(crate) struct Entry {
    pub(super) link: Link,
    /// The `_meta` of requests, which describes the client: JSON text.
    pub(super) meta: Bytes,
    context: Mutex<Context>,
    /// The upstream's name, and the view that these lists belong to.
    list: (Arc<str>, Arc<View>),
    contents: Arc<Contents>,
    /// See [`ListCache::is_without_resources`].
    is_without_resources: Arc<AtomicBool>,
    /// Whether the upstream has said in this view that it has resources; `None` until it was asked.
    has_resources: Mutex<Option<bool>>,
    changed: broadcast::Sender<Change>,
    slots: [Slot; 4],
    used: Mutex<Instant>,
    failure: Mutex<Option<Arc<Failure>>>,
    /// The result of `server/discover`, once the upstream has answered.
    said: Mutex<Option<Bytes>>,
    /// Whether the upstream was asked, whether or not it has answered.
    was_asked: AtomicBool,
    asking: tokio::sync::Mutex<()>,
    /// The number of subscribers to changes. Entries with subscribers count as used.
    kept: AtomicUsize,
    is_listening: AtomicBool,
    /// Dropped with the entry, which ends its listening task.
    alive: watch::Sender<()>,
}

/// One list.
#[derive(Default)]
struct Slot {
    /// The [generation](Listed::generation) of the cached list; 0 while there is none.
    generation: AtomicU64,
    held: Mutex<Held>,
    fetching: tokio::sync::Mutex<()>,
    /// A fetch has been asked for, and has not begun.
    is_queued: AtomicBool,
    /// The fetch is being retried, because callers have no list, or an outdated one.
    is_tried: AtomicBool,
    /// The upstream has announced a change since the last fetch began.
    is_outdated: AtomicBool,
}

#[derive(Default)]
struct Held {
    list: Option<List>,
    /// A caller was answered without this list.
    is_missed: bool,
    /// If the fetch has failed and there is no list: the time of the next attempt, and the reason. Callers then no longer wait.
    failed: Option<(Instant, Arc<Failure>)>,
    /// When the last fetch began.
    asked: Option<Instant>,
}

#[derive(Clone)]
struct List {
    listed: Listed,
    fetched: Instant,
    /// The time from which a request for the list makes it be fetched again.
    expires: Instant,
}

/// The items of a list at one point in time.
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) items: Arc<Items>,
    /// Lists of one upstream have the same generation if and only if their items are the same.
    pub(crate) generation: u64,
}

/// A subscription to changes of an entry, until it is dropped.
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

    /// Makes further requests in the name of this caller, one of those who share the view.
    pub(super) fn asked_by(&self, context: &Context) {
        let extensions = context.extensions.clone();
        let before = std::mem::replace(&mut self.context.lock().extensions, extensions);
        drop(before);
    }

    /// The context of requests to the upstream.
    pub(super) fn context(&self) -> Context {
        self.context.lock().clone()
    }

    pub(super) fn last_used(&self) -> Instant {
        match self.kept.load(Ordering::Acquire) {
            0 => *self.used.lock(),
            _ => Instant::now(),
        }
    }

    /// A number that changes whenever the list does; 0 while there is no list.
    pub(crate) fn generation(&self, kind: ListKind) -> u64 {
        self.slot(kind).generation.load(Ordering::Acquire)
    }

    pub(super) fn state(&self) -> ListState {
        let has_some = self.slots.iter().any(|slot| slot.held().list.is_some());
        match (self.failure.lock().as_ref().map(ToString::to_string), has_some) {
            (Some(why), true) => ListState::Stale(why),
            (Some(why), false) => ListState::Failing(why),
            (None, true) => ListState::Ready,
            (None, false) => ListState::Unknown,
        }
    }

    /// The list's items. Waits only while there is no list, for [`FIRST_LIST_TIME`] at most, and not for an upstream that has failed.
    pub(crate) async fn list(self: &Arc<Self>, kind: ListKind) -> Result<Listed, Arc<Failure>> {
        if let Some(known) = self.ask(kind) {
            return known;
        }
        let entry = Arc::clone(self);
        // In a task, so that the fetch continues for later callers if this one goes away.
        let fetching = tokio::spawn(async move {
            let _one_at_a_time = entry.slot(kind).fetching.lock().await;
            // Another fetch may have ended while this one waited for its turn.
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
        // The list may have arrived since the timeout.
        if let Some(list) = &held.list {
            return Ok(list.listed.clone());
        }
        held.is_missed = true;
        held.failed.get_or_insert_with(|| (Instant::now() + REFRESH_LEAST, Arc::clone(&failure)));
        // A slow fetch has not failed yet, and its own result will replace this. Until then the upstream is shown as slow.
        if self.failure.lock().is_none() {
            self.failed(&failure);
        }
        drop(held);
        // From now on nobody waits for the list, so fetch it in the background, unless the view ends with this call.
        if self.list.1.is_lasting() {
            self.refresh(kind);
        }
        Err(failure)
    }

    /// Records a failure. The first one after a success is logged, unless it is an error that the upstream answered: callers are not told that
    /// items are missing.
    fn failed(&self, failure: &Arc<Failure>) {
        let before = self.failure.lock().replace(Arc::clone(failure));
        if before.is_none() && matches!(**failure, Failure::Call(_)) {
            tracing::warn!(upstream = %self.list.0, error = %failure, "an MCP server does not tell its lists; what it has is left out, or as it was");
        }
    }

    /// The result of `server/discover`, JSON text. Waits for it for [`FIRST_LIST_TIME`] at most.
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

    /// The result of `server/discover`, if it is known already.
    pub(crate) fn said_now(&self) -> Option<Bytes> {
        self.said.lock().clone()
    }

    /// Whether `server/discover` was sent, whether or not it was answered.
    pub(crate) fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Acquire)
    }

    /// Whether the upstream may have resources. If `server/discover` was never sent, it is sent now, in the background.
    pub(crate) fn may_have_resources(self: &Arc<Self>) -> bool {
        let said = *self.has_resources.lock();
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
        *self.has_resources.lock() = Some(has_some);
        if self.list.1.is_everybodys() {
            self.is_without_resources.store(!has_some, Ordering::Release);
        }
        *self.said.lock() = Some(said.clone());
        Some(said)
    }

    /// The cached list or the last failure, without waiting. If it has expired, it is fetched in the background. `None` if there is
    /// neither.
    pub(crate) fn ask(self: &Arc<Self>, kind: ListKind) -> Option<Result<Listed, Arc<Failure>>> {
        let now = Instant::now();
        *self.used.lock() = now;
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

    /// Subscribes to changes of these lists until the returned value is dropped. Lists that are not cached are fetched, so that subscribers
    /// are told of changes whether or not anybody else has asked for the list.
    pub(crate) fn kept(self: &Arc<Self>, kinds: &[ListKind]) -> Kept {
        self.kept.fetch_add(1, Ordering::AcqRel);
        self.keep();
        for kind in kinds.iter().copied().filter(|kind| self.ask(*kind).is_none()) {
            let entry = Arc::clone(self);
            // A failure is recorded in the slot.
            tokio::spawn(async move { drop(entry.list(kind).await) });
        }
        Kept(Arc::clone(self))
    }

    /// Fetches the cached lists again, and those whose fetch has failed.
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
                // The previous answer stays in use until the new one arrives.
                let _one_at_a_time = entry.asking.lock().await;
                drop(timeout(LIST_TIME, entry.ask_itself()).await);
            });
        }
    }

    /// Handles the upstream's notification that a list has changed.
    pub(super) fn outdate(self: &Arc<Self>, kind: ListKind) {
        let slot = self.slot(kind);
        let is_known = slot.held().list.is_some();
        if is_known || slot.fetching.try_lock().is_err() {
            slot.is_outdated.store(true, Ordering::Release);
            self.refresh(kind);
        } else {
            // Nobody has the list, but subscribers are told of the change.
            self.tell(kind, None);
        }
    }

    /// Fetches a list in the background, unless a fetch is queued already. There is a pause between fetches, so that an upstream that announces
    /// changes all the time is not asked all the time.
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
            // A swap and not a store: a caller of `refresh` that found the fetch queued has set `is_outdated` before, and the read below
            // has to see that.
            slot.is_queued.swap(false, Ordering::AcqRel);
            let is_fresh = slot.held().list.as_ref().is_some_and(|list| list.expires > Instant::now());
            if is_fresh && !slot.is_outdated.load(Ordering::Acquire) {
                return;
            }
            // `fetch` records failures. Callers who got no list, or an outdated one, wait to be told of the new one, so retry until the entry
            // is idle.
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

    /// Whether nobody has used the entry for [`VIEW_IDLE`].
    fn is_idle(&self) -> bool {
        self.last_used().elapsed() >= VIEW_IDLE
    }

    /// Fetches a list. The caller holds the slot's `fetching` lock.
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
                *self.failure.lock() = None;
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
                // A caller whose credential is gone no longer sees the items that need it.
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

    /// Starts the listening task if there is none. Lists that were cached before may have changed while nobody listened, so they are fetched
    /// again. Old ones, and those for everybody, are forgotten first: otherwise a stale list would tell a caller that strangers have asked
    /// before.
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

    /// Whether the entry is idle. Then its listening task ends; the next caller starts another one.
    pub(super) fn has_rested(&self) -> bool {
        if !self.is_idle() {
            return false;
        }
        self.is_listening.swap(false, Ordering::AcqRel);
        // A caller that came in between may have relied on the listening task. Then it has to go on, unless that caller has started another.
        self.is_idle() || self.is_listening.swap(true, Ordering::AcqRel)
    }

    fn tell(&self, kind: ListKind, difference: Option<Difference>) {
        let change = ListChange { kind, list: self.list.clone(), difference: difference.map(Arc::new) };
        // Sending fails if nobody subscribes.
        let _ = self.changed.send(Change::List(change));
    }

    fn slot(&self, kind: ListKind) -> &Slot {
        &self.slots[kind.index()]
    }
}

/// Fetches a list until that succeeds, with growing pauses. Ends when the entry is dropped or idle.
async fn retry(entry: Weak<Entry>, kind: ListKind) {
    let mut pause = FAILED_LIST_PAUSE;
    loop {
        sleep(pause).await;
        pause = (pause * 2).min(FAILED_LIST_PAUSE_MOST);
        let Some(entry) = entry.upgrade() else { return };
        let slot = entry.slot(kind);
        let _one_at_a_time = slot.fetching.lock().await;
        let is_over = || slot.is_as_told() || entry.is_idle();
        // `fetch` records failures.
        if is_over() || entry.fetch(kind).await.is_ok() || is_over() {
            slot.is_tried.store(false, Ordering::Release);
            return;
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        *self.0.used.lock() = Instant::now();
        self.0.kept.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Slot {
    /// Whether the list is cached, and the upstream has announced no change since.
    fn is_as_told(&self) -> bool {
        !self.is_outdated.load(Ordering::Acquire) && self.held().list.is_some()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }
}

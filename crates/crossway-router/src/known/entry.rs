//! What is known of an upstream for those who see the same.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use crossway_era::from_legacy::SPOKEN;
use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{Call, CallError, Context, Link, Origin, Reason, Reply};
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout};

use super::State;
use super::list::{Item, ListKind, read_page};
use crate::limits::{
    FIRST_LIST_TIME, LIST_BYTES, LIST_PAGES, LIST_TIME, REFRESH_LEAST, RELISTEN_FIRST, RELISTEN_MOST,
    VIEW_IDLE,
};

/// What is known of an upstream for those who see the same.
pub(crate) struct Entry {
    link: Link,
    /// What requests say of the client: JSON text.
    meta: Bytes,
    context: Context,
    changed: broadcast::Sender<ListKind>,
    slots: [Slot; 4],
    state: Mutex<Known>,
    is_kept: AtomicBool,
}

#[derive(Default)]
struct Slot {
    /// Goes on with each change.
    generation: AtomicU64,
    list: Mutex<Option<List>>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct List {
    items: Arc<Vec<Item>>,
    /// From when on it is to be fetched again, when it is asked for.
    expires: Instant,
}

struct Known {
    used: Instant,
    failure: Option<String>,
}

/// Why a list could not be fetched.
enum Failure {
    Call(CallError),
    /// The upstream's own words.
    Refused(String),
}

impl Entry {
    pub(super) fn new(
        link: Link,
        request: &Message,
        context: &Context,
        changed: broadcast::Sender<ListKind>,
        is_lasting: bool,
    ) -> Arc<Self> {
        let mut context = context.clone();
        context.origin = Origin::unique();
        context.revision = Some(SPOKEN);
        context.deadline = None;
        Arc::new(Self {
            link,
            meta: client_meta(request),
            context,
            changed,
            slots: Default::default(),
            state: Mutex::new(Known { used: Instant::now(), failure: None }),
            // What is for one request alone need not be kept up to date.
            is_kept: AtomicBool::new(!is_lasting),
        })
    }

    pub(super) fn last_used(&self) -> Instant {
        self.known().used
    }

    /// Changes whenever the list does; 0 while it is not known.
    pub(crate) fn generation(&self, kind: ListKind) -> u64 {
        self.slots[kind.index()].generation.load(Ordering::Acquire)
    }

    pub(super) fn state(&self) -> State {
        let has_some = self.slots.iter().any(|slot| slot.list().is_some());
        match (self.known().failure.clone(), has_some) {
            (Some(why), true) => State::Stale(why),
            (Some(why), false) => State::Failing(why),
            (None, true) => State::Ready,
            (None, false) => State::Unknown,
        }
    }

    /// The list's items. Waits only while nothing is known, and not for long.
    pub(crate) async fn list(self: &Arc<Self>, kind: ListKind) -> Result<Arc<Vec<Item>>, CallError> {
        self.known().used = Instant::now();
        self.keep();
        let list = self.slots[kind.index()].list().clone();
        if let Some(List { items, expires }) = list {
            if expires <= Instant::now() {
                self.refresh(kind);
            }
            return Ok(items);
        }
        let entry = Arc::clone(self);
        // In a task: what was begun is of use to the next one also if this client does not wait.
        let fetching = tokio::spawn(async move { entry.fetch(kind, true).await });
        match timeout(FIRST_LIST_TIME, fetching).await {
            Ok(Ok(Ok(items))) => Ok(items),
            Ok(Ok(Err(Failure::Call(error)))) => Err(error),
            Ok(Ok(Err(Failure::Refused(why)))) => Err(CallError::answered(Reason::InvalidAnswer(why.into()))),
            Ok(Err(_)) => Err(CallError::not_sent(Reason::Closing)),
            Err(_) => Err(CallError::unknown(Reason::TimedOut(FIRST_LIST_TIME))),
        }
    }

    /// Somebody is given the list: it is fetched anew if it has expired.
    pub(crate) fn touch(self: &Arc<Self>, kind: ListKind) {
        self.known().used = Instant::now();
        self.keep();
        let is_due =
            self.slots[kind.index()].list().as_ref().is_some_and(|list| list.expires <= Instant::now());
        if is_due {
            self.refresh(kind);
        }
    }

    pub(super) fn refresh_all(self: &Arc<Self>) {
        for kind in ListKind::ALL {
            if self.slots[kind.index()].list().is_some() || self.known().failure.is_some() {
                self.refresh(kind);
            }
        }
    }

    /// Fetches a list in the background, unless that is being done.
    fn refresh(self: &Arc<Self>, kind: ListKind) {
        let entry = Arc::clone(self);
        tokio::spawn(async move {
            let _ = entry.fetch(kind, false).await;
        });
    }

    async fn fetch(&self, kind: ListKind, take_known: bool) -> Result<Arc<Vec<Item>>, Failure> {
        let slot = &self.slots[kind.index()];
        let _one_at_a_time = slot.fetching.lock().await;
        // Who has waited for another has what that one fetched.
        if take_known && let Some(list) = slot.list().as_ref() {
            return Ok(Arc::clone(&list.items));
        }
        let fetched = match timeout(LIST_TIME, self.pages(kind)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Failure::Call(CallError::unknown(Reason::TimedOut(LIST_TIME)))),
        };
        match fetched {
            Ok((items, ttl)) => {
                self.known().failure = None;
                let expires = Instant::now() + ttl.max(REFRESH_LEAST);
                let mut list = slot.list();
                let is_first = list.is_none();
                let is_same = list.as_ref().is_some_and(|list| *list.items == items);
                let items = match (&*list, is_same) {
                    (Some(list), true) => Arc::clone(&list.items),
                    _ => Arc::new(items),
                };
                *list = Some(List { items: Arc::clone(&items), expires });
                drop(list);
                if !is_same {
                    slot.generation.fetch_add(1, Ordering::AcqRel);
                    if !is_first {
                        // Nobody may listen.
                        let _ = self.changed.send(kind);
                    }
                }
                Ok(items)
            }
            Err(failure) => {
                self.known().failure = Some(match &failure {
                    Failure::Call(error) => error.to_string(),
                    Failure::Refused(why) => why.clone(),
                });
                if let Some(list) = slot.list().as_mut() {
                    list.expires = Instant::now() + REFRESH_LEAST;
                }
                Err(failure)
            }
        }
    }

    async fn pages(&self, kind: ListKind) -> Result<(Vec<Item>, Duration), Failure> {
        let (mut all, mut bytes, mut ttl) = (Vec::new(), 0, u64::MAX);
        let mut cursor: Option<Bytes> = None;
        for _ in 0..LIST_PAGES {
            let answer = self.ask(kind.method(), cursor.as_deref()).await.map_err(Failure::Call)?;
            if let Some(error) = answer.error() {
                let error: serde_json::Value = serde_json::from_slice(error).unwrap_or_default();
                // A server without such a list has none.
                if error["code"] == -32601 {
                    return Ok((Vec::new(), REFRESH_LEAST));
                }
                return Err(Failure::Refused(error["message"].as_str().unwrap_or("an error").to_owned()));
            }
            let page = read_page(kind, &answer)
                .ok_or_else(|| Failure::Refused(format!("its answer to {} is none", kind.method())))?;
            bytes += answer.len();
            ttl = ttl.min(page.ttl_ms);
            all.extend(page.items);
            let is_last = page.next.is_none() || page.next == cursor || bytes > LIST_BYTES;
            cursor = page.next;
            if is_last {
                break;
            }
        }
        Ok((all, Duration::from_millis(ttl.min(u64::from(u32::MAX)))))
    }

    async fn ask(&self, method: &str, cursor: Option<&[u8]>) -> Result<Message, CallError> {
        let mut reply = self.send(method, cursor.map(|cursor| ("cursor", cursor)))?;
        while let Some(message) = reply.next().await {
            let message = message?;
            if matches!(message.kind(), Kind::Result | Kind::Error) {
                return Ok(message);
            }
        }
        Err(CallError::unknown(Reason::InvalidAnswer("there was none".into())))
    }

    fn send(&self, method: &str, member: Option<(&str, &[u8])>) -> Result<Reply, CallError> {
        let mut params = [br#"{"_meta":"#, &self.meta[..]].concat();
        if let Some((name, value)) = member {
            params.extend_from_slice(format!(",\"{name}\":").as_bytes());
            params.extend_from_slice(value);
        }
        params.push(b'}');
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = format!("crossway-known-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let request =
            Message::request_of(&RequestId::from(id.as_str()), method, Some(&params)).map_err(|_| {
                CallError::not_sent(Reason::InvalidAnswer("its cursor can't be sent back".into()))
            })?;
        Ok(self.link.call(Call::message(request, self.context.clone())))
    }

    /// Sees to it that changes are heard of, as long as somebody asks.
    fn keep(self: &Arc<Self>) {
        if !self.is_kept.swap(true, Ordering::AcqRel) {
            tokio::spawn(listen(Arc::downgrade(self)));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn list(&self) -> MutexGuard<'_, Option<List>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens for changes of lists until nobody asks any more, again and again where the stream ends.
async fn listen(entry: Weak<Entry>) {
    let mut pause = RELISTEN_FIRST;
    loop {
        let Some(this) = entry.upgrade() else { return };
        let filter = br#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}"#;
        let Ok(mut reply) = this.send("subscriptions/listen", Some(("notifications", filter))) else {
            return;
        };
        drop(this);
        loop {
            let heard = tokio::select! {
                heard = reply.next() => heard,
                () = sleep(VIEW_IDLE) => {
                    let Some(this) = entry.upgrade() else { return };
                    if this.last_used().elapsed() >= VIEW_IDLE {
                        this.is_kept.store(false, Ordering::Release);
                        return;
                    }
                    continue;
                }
            };
            let Some(Ok(message)) = heard else { break };
            let Some(this) = entry.upgrade() else { return };
            if message.is_method("notifications/subscriptions/acknowledged") {
                // What changed before is not told.
                pause = RELISTEN_FIRST;
                this.refresh_all();
            }
            for kind in ListKind::changed_by(&message) {
                this.refresh(*kind);
            }
            if message.is_response() {
                break;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(RELISTEN_MOST);
    }
}

/// What a request says of its client, for requests of our own on behalf of all who see the same. It wants no progress and
/// no logs.
fn client_meta(request: &Message) -> Bytes {
    use crossway_era::{keys, to_legacy::Asks};
    let asks = Asks::of(request);
    let meta = serde_json::json!({
        keys::PROTOCOL_VERSION: SPOKEN.as_str(),
        keys::CLIENT_CAPABILITIES: serde_json::from_str::<serde_json::Value>(asks.as_json()).unwrap_or_default(),
        keys::CLIENT_INFO: { "name": "crossway", "version": env!("CARGO_PKG_VERSION") },
    });
    Bytes::from(meta.to_string())
}

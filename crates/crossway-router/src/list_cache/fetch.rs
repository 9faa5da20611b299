//! Fetches an upstream's lists and listens for their changes.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crossway_era::from_legacy::SPOKEN;
use crossway_proto::{ErrorCode, ErrorObject, Kind, Message, Part, RequestId};
use crossway_service::{Call, CallError, ErrorText, Reason, Reply};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::View;
use super::entry::Entry;
use super::list::{Item, ListKind, read_page};
use crate::jitter::jittered;
use crate::limits::{
    LIST_BYTES, LIST_ERROR, LIST_PAGES, REFRESH_LEAST, RELISTEN_FIRST, RELISTEN_MOST, VIEW_IDLE,
};

/// Why a list could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Call(CallError),
    /// The error that the upstream has answered, or a layer in front of it: that a credential is missing, for example.
    #[error("{}", .0.message)]
    Refused(ErrorObject),
}

impl Failure {
    /// Makes a failure of the error of an answer, JSON text.
    fn refused(error: &[u8]) -> Self {
        let error: Value = serde_json::from_slice(error).unwrap_or_default();
        let code = error["code"].as_i64().map_or(ErrorCode::INTERNAL_ERROR, ErrorCode);
        let message = error["message"].as_str().unwrap_or("an error");
        let message: String = message.chars().take(LIST_ERROR).collect();
        let data = error.get("data").map(|data| Bytes::from(data.to_string()));
        let data = data.filter(|data| data.len() <= LIST_ERROR);
        Self::Refused(ErrorObject { code, message: message.into(), data })
    }

    /// Whether a layer in front of the upstream refused the request because the caller has no credential. An upstream that answers the same
    /// error is treated alike.
    pub(super) fn is_of_missing_credential(&self) -> bool {
        let Self::Refused(ErrorObject { code: ErrorCode::NOT_SENT, data: Some(data), .. }) = self else {
            return false;
        };
        serde_json::from_slice::<Value>(data).is_ok_and(|data| data["credential"] == "missing")
    }

    /// The reply to a call that was not sent because the list that could name its target is missing.
    pub(crate) fn to_reply(&self, id: &RequestId) -> Reply {
        match self {
            Self::Call(error) => {
                let reason = match error.reason() {
                    // A layer in front of the server may have taken the time as well.
                    Reason::TimedOut(_) => Reason::Unavailable(
                        "it is not known in time what it has: it is slow, or a credential for it could not be had in time".into(),
                    ),
                    reason => reason.clone(),
                };
                let unsent = CallError::not_sent(reason);
                Reply::failed(error.retry_after().into_iter().fold(unsent, CallError::with_retry_after))
            }
            Self::Refused(error) => Reply::once(Message::error_of(Some(id), error)),
        }
    }
}

impl Entry {
    /// All pages of a list, and the shortest `ttlMs` of them.
    pub(super) async fn pages(&self, kind: ListKind) -> Result<(Vec<Item>, Duration), Failure> {
        let (mut all, mut bytes, mut ttl) = (Vec::new(), 0, u64::MAX);
        let mut cursor: Option<Bytes> = None;
        for _ in 0..LIST_PAGES {
            let answer = self.answer(kind.method(), cursor.as_deref()).await.map_err(Failure::Call)?;
            if let Some(error) = answer.error() {
                return match Failure::refused(error) {
                    // A server without such a list has none.
                    Failure::Refused(error) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                        Ok((Vec::new(), REFRESH_LEAST))
                    }
                    failure => Err(failure),
                };
            }
            let page = read_page(kind, &answer).ok_or_else(|| {
                let why = format!("that to {} is no list", kind.method());
                Failure::Call(CallError::answered(Reason::InvalidAnswer(ErrorText::private(why))))
            })?;
            bytes += answer.len();
            ttl = ttl.min(page.ttl_ms);
            all.extend(page.items);
            // A page whose cursor leads to itself would never end.
            let is_last = page.next.is_none() || page.next == cursor;
            cursor = page.next;
            if is_last {
                cursor = None;
                break;
            }
            if bytes > LIST_BYTES {
                break;
            }
        }
        if cursor.is_some() {
            let method = kind.method();
            tracing::warn!(method, items = all.len(), bytes, "a list has no end; what came so far is taken");
        }
        Ok((all, Duration::from_millis(ttl.min(u64::from(u32::MAX)))))
    }

    pub(super) async fn answer(&self, method: &str, cursor: Option<&[u8]>) -> Result<Message, CallError> {
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
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut params = [br#"{"_meta":"#, &self.meta[..]].concat();
        if let Some((name, value)) = member {
            params.extend_from_slice(format!(",\"{name}\":").as_bytes());
            params.extend_from_slice(value);
        }
        params.push(b'}');
        let id = format!("crossway-known-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let request =
            Message::request_of(&RequestId::from(id.as_str()), method, Some(&params)).map_err(|_| {
                CallError::not_sent(Reason::InvalidAnswer("its cursor can't be sent back".into()))
            })?;
        Ok(self.link.call(Call::message(request, self.context())))
    }
}

/// Listens for changes of lists, and opens the stream again when it ends. Stops when the entry is idle or dropped.
pub(super) async fn listen(entry: Weak<Entry>, mut alive: watch::Receiver<()>) {
    let listening = async {
        let mut pause = RELISTEN_FIRST;
        loop {
            let Some(this) = entry.upgrade() else { return };
            let filter =
                br#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}"#;
            let Ok(reply) = this.send("subscriptions/listen", Some(("notifications", filter))) else {
                return;
            };
            drop(this);
            let Some(was_acknowledged) = hear(&entry, reply).await else { return };
            if was_acknowledged {
                pause = RELISTEN_FIRST;
            }
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(RELISTEN_MOST);
            if entry.upgrade().is_none_or(|this| this.has_rested()) {
                return;
            }
        }
    };
    tokio::select! {
        () = listening => {}
        _ended = alive.changed() => {}
    }
}

/// Handles the notifications of a stream until it ends. Returns whether there were any; `None` if the entry is idle or dropped.
async fn hear(entry: &Weak<Entry>, mut reply: Reply) -> Option<bool> {
    let mut was_acknowledged = false;
    let mut look = Instant::now() + VIEW_IDLE;
    loop {
        let heard = tokio::select! {
            heard = reply.next() => heard,
            () = sleep_until(look) => {
                let this = entry.upgrade()?;
                if this.has_rested() {
                    return None;
                }
                look = this.last_used() + VIEW_IDLE;
                continue;
            }
        };
        let Some(Ok(message)) = heard else { return Some(was_acknowledged) };
        let this = entry.upgrade()?;
        if message.is_method("notifications/subscriptions/acknowledged") {
            was_acknowledged = true;
            // The stream reports no changes from before its start.
            this.refresh_all();
        }
        for kind in ListKind::changed_by(&message) {
            this.outdate(*kind);
        }
        if ends(&message) {
            return Some(was_acknowledged);
        }
    }
}

/// Whether a message of a subscription's stream is its last.
///
/// "A server MUST send `notifications/cancelled` referencing a `subscriptions/listen` request ID when it tears down that subscription
/// stream" (2026-07-28, basic/patterns/cancellation), and for no other purpose.
pub(crate) fn ends(message: &Message) -> bool {
    message.is_response() || message.is_method("notifications/cancelled")
}

/// The `_meta` of a request that describes its client, for our own requests on behalf of a view. It asks for no progress and no logs. If the
/// view belongs to one user or tenant, it names the first client program: where each program has a session of its own, the request then uses
/// the session that this program has anyway.
pub(super) fn client_meta(request: &Message, view: &View) -> Bytes {
    use crossway_era::{keys, to_legacy::ClientFeatures};
    const OWN: &str = concat!(r#"{"name":"crossway","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
    let asks = ClientFeatures::of(request);
    // Byte for byte, because programs are distinguished by this text.
    let info = request.member(Part::Meta, keys::CLIENT_INFO).filter(|_| !view.is_everybodys());
    let (version, asks) = (SPOKEN.as_str(), asks.as_json());
    let (of_version, of_asks) = (keys::PROTOCOL_VERSION, keys::CLIENT_CAPABILITIES);
    let mut meta =
        format!(r#"{{"{of_version}":"{version}","{of_asks}":{asks},"{}":"#, keys::CLIENT_INFO).into_bytes();
    meta.extend_from_slice(info.unwrap_or(OWN.as_bytes()));
    meta.push(b'}');
    Bytes::from(meta)
}

/// Whether a result of `server/discover` (JSON text) says that the server has resources.
pub(crate) fn has_resources(said: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Said {
        capabilities: Capabilities,
    }
    #[derive(Deserialize)]
    struct Capabilities {
        resources: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Said>(said).is_ok_and(|said| said.capabilities.resources.is_some())
}

//! One upstream for clients of both eras, untranslated where possible.

mod asking;
mod rerouted;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use asking::{Sessions, may_ask_legacy_client};
use crossway_era::to_legacy;
use crossway_proto::{Kind, Message};
use crossway_service::{
    Ask, Call, CallError, Closing, Connection, Context, Link, Reason, Reply, Scope, Upstream,
};
use futures_util::StreamExt;
use rerouted::Rerouted;
use tokio::sync::watch;

use crate::limits::HELD_BACK;

/// The protocol eras that an upstream supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EraSupport {
    /// Sessions only: revisions before 2026-07-28.
    Legacy,
    /// Stateless requests. The first client that asks for a session shows whether the upstream takes sessions too.
    Modern,
    /// Both.
    Both,
}

/// One upstream under its own names, for clients of both eras.
///
/// | client | upstream | messages |
/// |---|---|---|
/// | legacy | takes sessions | pass untouched: each client has a session of its own |
/// | modern | takes stateless requests | pass untouched |
/// | legacy | modern only | go through `from_legacy` |
/// | modern | legacy only | go through `to_legacy` |
///
/// Modern requests that a translation made of a legacy client's go through `to_legacy` too if the server takes sessions, the client can be
/// asked something, and the request is one in whose course servers ask: some servers of both eras ask in sessions only.
///
/// On transports that carry both eras in one stream (stdio), each message goes its own way.
#[derive(Clone)]
pub struct AnyEra(Arc<Ways>);

struct Ways {
    raw: Arc<dyn Upstream>,
    from_legacy: Arc<dyn Upstream>,
    to_legacy: Arc<dyn Upstream>,
    speaks: Box<dyn Fn() -> EraSupport + Send + Sync>,
    /// Whether `speaks` may answer differently the next time.
    may_change: bool,
    /// Whether a modern upstream takes sessions too, once it is known.
    takes_sessions: AtomicU8,
    /// The same, for the modern requests of legacy clients.
    sessions: Sessions,
}

const UNKNOWN: u8 = 0;
const TAKES: u8 = 1;
const REFUSES: u8 = 2;

impl AnyEra {
    /// Creates an upstream around `raw`, which supports the eras in `speaks`.
    ///
    /// `from_legacy` has to serve legacy clients on `raw` where it is modern, as [`FromLegacy`](crate::from_legacy) does, and `to_legacy`
    /// modern clients where it is legacy, as [`ToLegacy`](crate::to_legacy) does.
    pub fn new(
        raw: Arc<dyn Upstream>,
        speaks: EraSupport,
        from_legacy: Arc<dyn Upstream>,
        to_legacy: Arc<dyn Upstream>,
    ) -> Self {
        Self::with(raw, Box::new(move || speaks), false, from_legacy, to_legacy)
    }

    /// Like [`new`](Self::new), for an upstream whose era may change, such as a slow or upgraded server.
    ///
    /// `speaks` is called for every call, so it must be cheap. A modern request that the server did not handle because of its era is
    /// retried once on the other path.
    pub fn following(
        raw: Arc<dyn Upstream>,
        speaks: impl Fn() -> EraSupport + Send + Sync + 'static,
        from_legacy: Arc<dyn Upstream>,
        to_legacy: Arc<dyn Upstream>,
    ) -> Self {
        Self::with(raw, Box::new(speaks), true, from_legacy, to_legacy)
    }

    fn with(
        raw: Arc<dyn Upstream>,
        speaks: Box<dyn Fn() -> EraSupport + Send + Sync>,
        may_change: bool,
        from_legacy: Arc<dyn Upstream>,
        to_legacy: Arc<dyn Upstream>,
    ) -> Self {
        let (takes_sessions, sessions) = (AtomicU8::new(UNKNOWN), Sessions::default());
        Self(Arc::new(Ways { raw, from_legacy, to_legacy, speaks, may_change, takes_sessions, sessions }))
    }

    /// The upstream in the modern shape: for stateless requests, and to be merged with others.
    #[must_use]
    pub fn modern(&self) -> Arc<dyn Upstream> {
        Arc::new(Modern(Arc::clone(&self.0)))
    }
}

impl Ways {
    fn is_translated(&self) -> bool {
        (self.speaks)() == EraSupport::Legacy
    }

    /// The upstream for sessions; `None` if that has to be found out.
    fn legacy(&self) -> Option<&Arc<dyn Upstream>> {
        match ((self.speaks)(), self.takes_sessions.load(Ordering::Relaxed)) {
            (EraSupport::Legacy | EraSupport::Both, _) | (EraSupport::Modern, TAKES) => Some(&self.raw),
            (EraSupport::Modern, REFUSES) => Some(&self.from_legacy),
            _ => None,
        }
    }
}

impl Upstream for AnyEra {
    fn connect(&self, scope: Scope) -> Link {
        match scope {
            Scope::Session | Scope::Pooled => {
                let (announce, _) = watch::channel(None);
                let session = Session {
                    ways: Arc::clone(&self.0),
                    legacy: OnceLock::new(),
                    goes_from_legacy: AtomicBool::new(false),
                    modern: OnceLock::new(),
                    announce,
                };
                Link::new(SessionConnection(Arc::new(session)))
            }
            Scope::Shared => Modern(Arc::clone(&self.0)).connect(scope),
        }
    }
}

/// The upstream for stateless requests.
struct Modern(Arc<Ways>);

impl Upstream for Modern {
    fn connect(&self, _: Scope) -> Link {
        let (raw, to_legacy) = (OnceLock::new(), OnceLock::new());
        Link::new(ModernConnection(Arc::new(ModernLinks { ways: Arc::clone(&self.0), raw, to_legacy })))
    }
}

struct ModernLinks {
    ways: Arc<Ways>,
    raw: OnceLock<Link>,
    to_legacy: OnceLock<Link>,
}

impl ModernLinks {
    fn way(&self, is_translated: bool) -> &Link {
        let (link, upstream) =
            if is_translated { (&self.to_legacy, &self.ways.to_legacy) } else { (&self.raw, &self.ways.raw) };
        link.get_or_init(|| upstream.connect(Scope::Shared))
    }

    /// Sends a call to where the server's era leads it.
    fn pass(self: &Arc<Self>, call: Call) -> Reply {
        let is_translated = self.ways.is_translated();
        let link = self.way(is_translated);
        if !self.ways.may_change || call.request().is_none() {
            return link.call(call);
        }
        let reply = link.call(call.clone());
        Reply::stream(Rerouted { to: Arc::clone(self), call: Some(call), is_translated, reply })
    }
}

/// The connection that modern clients hold.
struct ModernConnection(Arc<ModernLinks>);

impl Connection for ModernConnection {
    fn call(&self, call: Call) -> Reply {
        if may_ask_legacy_client(&call) && !self.0.ways.is_translated() {
            return self.0.prefer_session(call);
        }
        self.0.pass(call)
    }
}

/// One client's connection; the client's messages show its era.
struct Session {
    ways: Arc<Ways>,
    legacy: OnceLock<Link>,
    /// Whether `legacy` is translated for a modern server.
    goes_from_legacy: AtomicBool,
    modern: OnceLock<Link>,
    /// Tells listeners which link has the client's session.
    announce: watch::Sender<Option<Link>>,
}

impl Session {
    fn modern(&self) -> &Link {
        self.modern.get_or_init(|| Modern(Arc::clone(&self.ways)).connect(Scope::Shared))
    }

    fn legacy(&self, upstream: &Arc<dyn Upstream>) -> &Link {
        let link = self.legacy.get_or_init(|| {
            self.goes_from_legacy.store(Arc::ptr_eq(upstream, &self.ways.from_legacy), Ordering::Relaxed);
            upstream.connect(Scope::Session)
        });
        self.announce.send_if_modified(|announced| {
            let is_new = announced.is_none();
            announced.get_or_insert_with(|| link.clone());
            is_new
        });
        link
    }

    fn message(self: &Arc<Self>, message: Message, call: Call) -> Reply {
        let is_modern = call.is_modern()
            // A message with neither goes to the era that the client uses.
            || self.legacy.get().is_none() && self.modern.get().is_some() && !message.is_request();
        if is_modern {
            return self.modern().call(call);
        }
        if let Some(link) = self.legacy.get() {
            if self.goes_from_legacy.load(Ordering::Relaxed)
                && self.ways.is_translated()
                && message.is_request()
            {
                // The server has become a legacy one, and does not know this session.
                return Reply::failed(CallError::not_sent(Reason::SessionEnded));
            }
            return link.call(call);
        }
        match self.ways.legacy() {
            Some(upstream) if message.is_method("initialize") => {
                let (reply, session) = (self.legacy(upstream).call(call), Arc::clone(self));
                // A server that took sessions may have been replaced by one that does not: the next client's session is tried again.
                Reply::stream(reply.inspect(move |item| {
                    if !matches!(item, Ok(message) if message.error().is_none()) {
                        session.ways.takes_sessions.store(UNKNOWN, Ordering::Relaxed);
                    }
                }))
            }
            Some(upstream) => self.legacy(upstream).call(call),
            None if message.is_method("initialize") => self.try_session(call),
            // Too early: the upstream that would serve the session refuses the message.
            None => self.ways.from_legacy.connect(Scope::Session).call(call),
        }
    }

    /// Asks a modern upstream for a session, and translates if it refuses one.
    ///
    /// Notifications before its answer are held back until it is known which upstream serves the session; requests are answered at once.
    fn try_session(self: &Arc<Self>, call: Call) -> Reply {
        let session = Arc::clone(self);
        Reply::pending(async move {
            let raw = session.ways.raw.connect(Scope::Session);
            let mut reply = raw.call(call.clone());
            let mut interim = Vec::new();
            let answer = answer_to_initialize(&raw, &mut reply, &call.context, |message| {
                if interim.len() < HELD_BACK {
                    interim.push(Ok(message));
                }
            });
            match answer.await {
                Ok(Some(answer)) if answer.kind() == Kind::Result => {
                    session.ways.takes_sessions.store(TAKES, Ordering::Relaxed);
                    let _ = session.legacy.set(raw);
                    session.legacy(&session.ways.raw);
                    interim.push(Ok(answer));
                    return Reply::stream(futures_util::stream::iter(interim).chain(reply));
                }
                Ok(Some(_)) => session.ways.takes_sessions.store(REFUSES, Ordering::Relaxed),
                Ok(None) => {}
                Err(error) => {
                    tokio::spawn(raw.close());
                    return Reply::failed(error);
                }
            }
            drop(reply);
            tokio::spawn(raw.close());
            session.legacy(&session.ways.from_legacy).call(call)
        })
    }

    fn listen(&self, call: Call) -> Reply {
        if let Some(link) = self.legacy.get() {
            return link.call(call);
        }
        // The client has not shown its era yet: modern ones have no standing stream.
        let mut announced = self.announce.subscribe();
        Reply::pending(async move {
            let link = announced.wait_for(Option::is_some).await.ok().and_then(|link| link.clone());
            drop(announced);
            match link {
                Some(link) => link.call(call),
                None => Reply::accepted(),
            }
        })
    }
}

/// Waits for a server's answer to `initialize`; `None` if the server shows in another way that it has no sessions. Gives the notifications
/// before it to `heard`, and answers requests.
///
/// # Errors
///
/// When the server fails, which may pass.
async fn answer_to_initialize(
    raw: &Link,
    reply: &mut Reply,
    context: &Context,
    mut heard: impl FnMut(Message),
) -> Result<Option<Message>, CallError> {
    while let Some(item) = reply.next().await {
        let message = match item {
            Ok(message) => message,
            Err(error) if has_no_sessions(&error) => break,
            Err(error) => return Err(error),
        };
        match message.kind() {
            Kind::Result | Kind::Error => return Ok(Some(message)),
            Kind::Request => answer_early(raw, &message, context).await,
            Kind::Notification => heard(message),
        }
    }
    Ok(None)
}

/// Answers a request that comes before the client's session is open; the server may wait for the answer before it gives its own.
/// "The server **SHOULD NOT** send requests other than pings and logging before receiving the `initialized` notification"
/// (2025-11-25, basic/lifecycle, Initialization).
async fn answer_early(link: &Link, request: &Message, context: &Context) {
    let answer =
        if request.is_method("ping") { to_legacy::pong(request) } else { to_legacy::refuse(request) };
    link.call(Call::message(answer, context.clone())).drain().await;
}

/// Whether a failure shows that an upstream knows no `initialize`: it has ended, or refused it with an HTTP status instead of a JSON-RPC
/// error. Failures that may pass (load, a gateway in between, a credential) do not count.
fn has_no_sessions(error: &CallError) -> bool {
    match error.reason() {
        Reason::Ended(_) | Reason::SessionEnded => true,
        Reason::Refused { status, .. } => matches!(status, 400 | 404..=406 | 415 | 422 | 501),
        _ => false,
    }
}

struct SessionConnection(Arc<Session>);

impl Connection for SessionConnection {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) => {
                let message = message.clone();
                self.0.message(message, call)
            }
            Ask::Listen => self.0.listen(call),
        }
    }

    fn close(&self) -> Closing {
        // The other link is shared with all clients.
        match self.0.legacy.get() {
            Some(link) => link.close(),
            None => Box::pin(std::future::ready(())),
        }
    }
}

impl fmt::Debug for AnyEra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyEra({:?})", (self.0.speaks)())
    }
}

#[cfg(test)]
mod tests;

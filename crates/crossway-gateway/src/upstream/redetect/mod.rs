//! Re-detects a URL whose server changes its transport or era.
//!
//! What a URL speaks is found out once, and holds for as long as the server does. One that is upgraded in place, or taken back,
//! refuses what the one before it took. Such a refusal is a suspicion only: it is asked once more what is there, and the
//! answer counts. How often, is bounded: a server that refuses for other reasons is not asked each time.
//!
//! | what was refused | and is something else there now |
//! |---|---|
//! | `initialize` | it is made there |
//! | a request in a session | the session has ended; the next one is opened there |
//! | a modern request, by what shows that it was not handled | it is made there, or is an era's that the server no longer speaks |
//! | another one | its client has the refusal, and the next one is made there |

mod limits;
mod pauses;
mod watched;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crossway_router::EraSupport;
use crossway_service::{Ask, Call, Closing, Connection, Link, Reply, Scope, Upstream};
use futures_util::future::BoxFuture;

use crate::{AtUrl, DetectError};
use pauses::Pauses;
use watched::{Course, Watched};

/// What a URL was found to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    HttpSse,
    /// Streamable HTTP of these eras.
    Streamable(EraSupport),
}

impl Kind {
    pub(crate) fn speaks(self) -> EraSupport {
        match self {
            Self::HttpSse => EraSupport::Legacy,
            Self::Streamable(speaks) => speaks,
        }
    }
}

/// A server, and what it speaks.
#[derive(Clone)]
pub(crate) struct Found {
    upstream: Arc<dyn Upstream>,
    kind: Kind,
    /// What has to be ended with it.
    server: Option<Arc<AtUrl>>,
}

impl From<AtUrl> for Found {
    fn from(server: AtUrl) -> Self {
        Self { upstream: server.upstream(), kind: server.kind(), server: Some(Arc::new(server)) }
    }
}

/// Finds out what is there.
pub(crate) type Find = Arc<dyn Fn() -> BoxFuture<'static, Result<Found, DetectError>> + Send + Sync>;

/// An upstream at a URL that is probed again when the server seems to have changed. Clones share it.
#[derive(Clone)]
pub(crate) struct RedetectingUpstream(Arc<Shared>);

struct Shared {
    find: Find,
    /// What was found last, and how many were before it.
    found: RwLock<(u64, Found)>,
    pauses: Mutex<Pauses>,
    /// Held by who looks: the others wait for what comes of it.
    looking: tokio::sync::Mutex<()>,
}

impl RedetectingUpstream {
    /// `find` has found `found`, and is asked again when that no longer seems to be there.
    pub(crate) fn new(found: Found, find: Find) -> Self {
        let (found, pauses, looking) =
            (RwLock::new((0, found)), Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { find, found, pauses, looking }))
    }

    /// Which eras the server speaks now.
    pub(crate) fn speaks(&self) -> EraSupport {
        self.0.speaks()
    }

    /// Ends the sessions with the server that is there now, and waits until it was told, for some seconds at most.
    pub(crate) async fn close(&self) {
        let (_, found) = self.0.found();
        if let Some(server) = found.server {
            server.close().await;
        }
    }
}

impl Shared {
    fn found(&self) -> (u64, Found) {
        // It is replaced as a whole.
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn speaks(&self) -> EraSupport {
        self.found.read().unwrap_or_else(PoisonError::into_inner).1.kind.speaks()
    }

    fn number(&self) -> u64 {
        self.found.read().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether something else is there than what was found as the `number`th: looks, unless somebody has just done so.
    async fn is_another(self: Arc<Self>, number: u64) -> bool {
        // In a task of its own: whoever looks leaves no session behind.
        tokio::spawn(async move { self.look(number).await }).await.unwrap_or(false)
    }

    async fn look(&self, number: u64) -> bool {
        let _turn = self.looking.lock().await;
        if self.number() != number {
            return true;
        }
        if !self.pauses().is_over() {
            return false;
        }
        let was = self.found().1.kind;
        match (self.find)().await {
            // It was said to be Streamable HTTP, and is nothing at the moment.
            Ok(found) if found.kind == was || found.kind == Kind::Streamable(EraSupport::Both) => false,
            Ok(found) => {
                tracing::warn!(?was, is = ?found.kind, "the MCP server at a URL speaks something else than before");
                *self.found.write().unwrap_or_else(PoisonError::into_inner) = (number + 1, found);
                self.pauses().note_news();
                true
            }
            Err(error) => {
                if error.is_unreachable() {
                    self.pauses().forget();
                }
                tracing::debug!(%error, "an MCP server refuses what it spoke, and does not show what it speaks");
                false
            }
        }
    }

    fn pauses(&self) -> MutexGuard<'_, Pauses> {
        // Each step leaves them whole.
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream for RedetectingUpstream {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(Handle(Arc::new(Way { shared: Arc::clone(&self.0), scope, there: Mutex::default() })))
    }
}

impl fmt::Debug for RedetectingUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedetectingUpstream({:?})", self.0.found().1.kind)
    }
}

/// One connection, to one server after the other.
struct Way {
    shared: Arc<Shared>,
    scope: Scope,
    there: Mutex<Option<There>>,
}

/// A link to one of the servers.
#[derive(Clone)]
struct There {
    number: u64,
    kind: Kind,
    link: Link,
}

impl Way {
    /// Where a call goes. A session stays where it was opened.
    fn there(&self, begins: bool) -> There {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = &*there
            && (!begins || there.number == self.shared.number())
        {
            return there.clone();
        }
        let (number, found) = self.shared.found();
        let new = There { number, kind: found.kind, link: found.upstream.connect(self.scope) };
        there.insert(new).clone()
    }
}

struct Handle(Arc<Way>);

impl Connection for Handle {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if message.is_request() => {
                let course = Course::of(message, &call.context, self.0.scope);
                Reply::stream(Watched::new(Arc::clone(&self.0), course, call))
            }
            _ => self.0.there(false).link.call(call),
        }
    }

    fn close(&self) -> Closing {
        match &*self.0.there.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(there) => there.link.close(),
            None => Box::pin(std::future::ready(())),
        }
    }
}

#[cfg(test)]
mod tests;

//! Re-detects a URL whose server changes its transport or era.
//!
//! What a URL speaks is detected once. A server that is upgraded in place, or rolled back, refuses what the previous one
//! accepted. Such a refusal is only a hint: the URL is then probed again, and the result decides. The number of probes is
//! bounded, so that a server that refuses for other reasons is not probed each time.
//!
//! | refused | if another server is there now |
//! |---|---|
//! | `initialize` | it is sent to that server |
//! | a request in a session | the session has ended; the next one is opened with that server |
//! | a modern request, with an error that shows that it was not handled | it is sent to that server, or fails if that speaks legacy only |
//! | another request | the client gets the refusal, and the next request is sent to that server |

mod limits;
mod pauses;
mod watched;

use std::fmt;
use std::sync::Arc;

use crossway_router::EraSupport;
use crossway_service::{Ask, Call, Closing, Connection, Link, Reply, Scope, Upstream};
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::{AtUrl, DetectError};
use pauses::Pauses;
use watched::{Course, Watched};

/// The transport and eras that a URL was found to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    HttpSse,
    /// Streamable HTTP, in these eras.
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

/// A server, with what it speaks.
#[derive(Clone)]
pub(crate) struct Found {
    upstream: Arc<dyn Upstream>,
    kind: Kind,
    /// The server to close.
    server: Option<Arc<AtUrl>>,
}

impl From<AtUrl> for Found {
    fn from(server: AtUrl) -> Self {
        Self { upstream: server.upstream(), kind: server.kind(), server: Some(Arc::new(server)) }
    }
}

/// Probes the URL.
pub(crate) type Find = Arc<dyn Fn() -> BoxFuture<'static, Result<Found, DetectError>> + Send + Sync>;

/// An upstream at a URL that is probed again when the server seems to have changed. Clones share it.
#[derive(Clone)]
pub(crate) struct RedetectingUpstream(Arc<Shared>);

struct Shared {
    find: Find,
    /// The server that was found last, and the number of those before it.
    found: RwLock<(u64, Found)>,
    pauses: Mutex<Pauses>,
    /// Held while probing; others wait for the result.
    looking: tokio::sync::Mutex<()>,
}

impl RedetectingUpstream {
    /// Creates an upstream for `found`. `find` is called again when that server no longer seems to be there.
    pub(crate) fn new(found: Found, find: Find) -> Self {
        let (found, pauses, looking) =
            (RwLock::new((0, found)), Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { find, found, pauses, looking }))
    }

    /// The eras that the server speaks now.
    pub(crate) fn speaks(&self) -> EraSupport {
        self.0.speaks()
    }

    /// Ends the sessions with the current server, and waits until it was told, for some seconds at most.
    pub(crate) async fn close(&self) {
        let (_, found) = self.0.found();
        if let Some(server) = found.server {
            server.close().await;
        }
    }
}

impl Shared {
    fn found(&self) -> (u64, Found) {
        self.found.read().clone()
    }

    fn speaks(&self) -> EraSupport {
        self.found.read().1.kind.speaks()
    }

    fn number(&self) -> u64 {
        self.found.read().0
    }

    /// Whether another server is there than the one found as `number`. Probes, unless another call has just done so.
    async fn is_another(self: Arc<Self>, number: u64) -> bool {
        // In its own task, so that a dropped call does not leave a session behind.
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
            // Specified as Streamable HTTP, and speaks nothing at the moment.
            Ok(found) if found.kind == was || found.kind == Kind::Streamable(EraSupport::Both) => false,
            Ok(found) => {
                tracing::warn!(?was, is = ?found.kind, "the MCP server at a URL speaks something else than before");
                *self.found.write() = (number + 1, found);
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
        self.pauses.lock()
    }
}

impl Upstream for RedetectingUpstream {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(RedetectingConnection(Arc::new(Way {
            shared: Arc::clone(&self.0),
            scope,
            there: Mutex::default(),
        })))
    }
}

impl fmt::Debug for RedetectingUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedetectingUpstream({:?})", self.0.found().1.kind)
    }
}

/// A connection, which may lead to several servers in turn.
struct Way {
    shared: Arc<Shared>,
    scope: Scope,
    there: Mutex<Option<There>>,
}

/// A link to one of these servers.
#[derive(Clone)]
struct There {
    number: u64,
    kind: Kind,
    link: Link,
}

impl Way {
    /// Returns the link for a call. A session stays with the server that opened it.
    fn there(&self, begins: bool) -> There {
        let mut there = self.there.lock();
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

struct RedetectingConnection(Arc<Way>);

impl Connection for RedetectingConnection {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if message.is_request() => {
                let course = Course::of(&call, self.0.scope);
                Reply::stream(Watched::new(Arc::clone(&self.0), course, call))
            }
            Ask::Message(_) | Ask::Listen => self.0.there(false).link.call(call),
        }
    }

    fn close(&self) -> Closing {
        match &*self.0.there.lock() {
            Some(there) => there.link.close(),
            None => Box::pin(std::future::ready(())),
        }
    }
}

#[cfg(test)]
mod tests;

//! The demo server: state shared by all sessions, and state of each session.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::{Mutex, MutexGuard};
use rmcp::model::{Extensions, LoggingLevel};

use crate::{
    closer::{FindCloser, StreamCloser},
    era::Era,
    listeners::{Listeners, Ticket},
    seal::Seal,
};

/// The demo MCP server: an rmcp `ServerHandler` for any transport.
///
/// A clone is the same server for another session: it shares the watched resource and the table of listeners, and has its own log level
/// and subscriptions.
#[derive(Debug)]
pub struct Demo {
    pub(crate) era: Era,
    pub(crate) server: Arc<Server>,
    pub(crate) session: Session,
    closer: FindCloser,
}

impl Demo {
    /// A server that speaks the revisions of `era`.
    pub fn new(era: Era) -> Self {
        let server = Server {
            listeners: Listeners::default(),
            seal: Seal::new(),
            version: AtomicU64::new(1),
            tool_changes: AtomicU64::new(0),
            prompt_changes: AtomicU64::new(0),
        };
        Self { era, server: Arc::new(server), session: Session::default(), closer: FindCloser::default() }
    }

    /// Makes `find` look for [`StreamCloser`]s. By default they are found in the request's extensions by their type.
    #[must_use]
    pub fn find_stream_closer_with(
        self,
        find: impl Fn(&Extensions) -> Option<StreamCloser> + Send + Sync + 'static,
    ) -> Self {
        Self { closer: FindCloser::new(find), ..self }
    }

    /// The revisions that the server speaks.
    pub fn era(&self) -> Era {
        self.era
    }

    pub(crate) fn stream_closer(&self, extensions: &Extensions) -> Option<StreamCloser> {
        self.closer.find(extensions)
    }
}

impl Clone for Demo {
    fn clone(&self) -> Self {
        Self {
            era: self.era,
            server: Arc::clone(&self.server),
            session: Session::default(),
            closer: self.closer.clone(),
        }
    }
}

/// The state shared by all sessions.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) listeners: Listeners,
    pub(crate) seal: Seal,
    /// The version of the watched resource.
    version: AtomicU64,
    /// The number of changes of the list of tools.
    pub(crate) tool_changes: AtomicU64,
    /// The number of changes of the list of prompts.
    pub(crate) prompt_changes: AtomicU64,
}

impl Server {
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Changes the watched resource, and returns its new version.
    pub(crate) fn next_version(&self) -> u64 {
        self.version.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The state of a single legacy session. Modern requests do not use it.
#[derive(Debug, Default)]
pub(crate) struct Session {
    level: Mutex<Option<LoggingLevel>>,
    ticket: Mutex<Option<Ticket>>,
}

impl Session {
    /// The least severe level of log messages for the client; all levels until the client sets one.
    pub(crate) fn level(&self) -> LoggingLevel {
        self.level.lock().unwrap_or(LoggingLevel::Debug)
    }

    pub(crate) fn set_level(&self, level: LoggingLevel) {
        *self.level.lock() = Some(level);
    }

    /// The session's place in the table of listeners, from `initialize` on.
    pub(crate) fn ticket(&self) -> MutexGuard<'_, Option<Ticket>> {
        self.ticket.lock()
    }
}

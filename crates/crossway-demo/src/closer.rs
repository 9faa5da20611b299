//! Lets a tool close the response stream of its own call.

use std::{fmt, sync::Arc};

use rmcp::model::Extensions;

/// Closes the connection of a call, and lets the call go on.
///
/// A transport that supports this puts one into a request's extensions. Streamable HTTP does, from 2025-11-25 up to 2026-07-28: once an
/// event with an id went out, "the server MAY close the connection (without terminating the SSE stream) at any time" (2025-11-25,
/// basic/transports). The client reconnects with `Last-Event-ID`, and gets the answer.
#[derive(Clone)]
pub struct StreamCloser(Arc<dyn Fn() + Send + Sync>);

impl StreamCloser {
    /// A closer that calls `close`, which must not block, and may be called more than once, and after the stream is gone.
    pub fn new(close: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(close))
    }

    /// Closes the connection.
    pub fn close(&self) {
        (self.0)();
    }
}

impl fmt::Debug for StreamCloser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamCloser")
    }
}

/// Finds a request's [`StreamCloser`].
#[derive(Clone)]
pub(crate) struct FindCloser(Arc<Find>);

type Find = dyn Fn(&Extensions) -> Option<StreamCloser> + Send + Sync;

impl FindCloser {
    pub(crate) fn new(find: impl Fn(&Extensions) -> Option<StreamCloser> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(crate) fn find(&self, extensions: &Extensions) -> Option<StreamCloser> {
        (self.0)(extensions)
    }
}

impl Default for FindCloser {
    fn default() -> Self {
        Self::new(|extensions| extensions.get::<StreamCloser>().cloned())
    }
}

impl fmt::Debug for FindCloser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FindCloser")
    }
}

//! Records the calls of an OpenAPI face, but not its list requests.

use std::sync::Arc;

use crossway_service::{Call, Closing, Connection, Link, Reply, Scope, Upstream};

/// An upstream whose calls are recorded and whose list requests are not: the OpenAPI face asks for the list of tools before each call.
pub(super) struct Recorded {
    quiet: Arc<dyn Upstream>,
    recorded: Arc<dyn Upstream>,
}

impl Recorded {
    /// Joins two connections to one upstream: without and with records.
    pub(super) fn new(quiet: Arc<dyn Upstream>, recorded: Arc<dyn Upstream>) -> Self {
        Self { quiet, recorded }
    }
}

impl Upstream for Recorded {
    fn connect(&self, scope: Scope) -> Link {
        let (quiet, recorded) = (self.quiet.connect(scope), self.recorded.connect(scope));
        Link::new(RecordedConnection { quiet, recorded })
    }
}

struct RecordedConnection {
    quiet: Link,
    recorded: Link,
}

impl Connection for RecordedConnection {
    fn call(&self, call: Call) -> Reply {
        let is_recorded = call.is_method("tools/call");
        if is_recorded { self.recorded.call(call) } else { self.quiet.call(call) }
    }

    fn close(&self) -> Closing {
        let (quiet, recorded) = (self.quiet.close(), self.recorded.close());
        Box::pin(async move {
            futures_util::future::join(quiet, recorded).await;
        })
    }
}

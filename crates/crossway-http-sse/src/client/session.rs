//! One session with a server: its event stream and its POSTs.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Poll;

use crossway_proto::Calls;
use crossway_service::{Mux, Reason};
use futures_util::future::{Either, select};

use super::Shared;
use super::live::Live;
use super::outbox::Outbox;
use super::stream::EventStream;

/// A session without a stream.
pub(super) struct Session {
    pub(super) mux: Mux<Outbox>,
    pub(super) shared: Arc<Shared>,
}

impl Session {
    /// Opens the stream and serves the session until it is over.
    pub(super) async fn run(self) {
        let mut running = Running(Some(self));
        while let Some(session) = &running.0 {
            if !session.serve().await {
                return;
            }
            // No session was lost, so the next call tries again.
            let mux = session.mux.clone();
            running.0 = running.0.take().and_then(|session| mux.outlet().park(session));
        }
    }

    /// Returns whether the session lives on, which is when no stream could be opened.
    async fn serve(&self) -> bool {
        let outbox = self.mux.outlet();
        let gone =
            std::future::poll_fn(
                |cx| {
                    if outbox.watch(cx).is_hung_up { Poll::Ready(()) } else { Poll::Pending }
                },
            );
        // Boxed, so that a long session does not hold the state of opening.
        let open = Box::pin(EventStream::open(&self.shared));
        match select(gone, open).await {
            Either::Left(_) => self.end(Reason::Closing),
            Either::Right((Ok((stream, target)), _)) => {
                let reason = Live::new(self, stream, target).run().await;
                self.end(reason);
            }
            Either::Right((Err(error), _)) => {
                tracing::debug!(%error, "an HTTP+SSE stream can't be opened");
                for key in outbox.drain().filter_map(|message| Calls::<()>::key_of(&message)) {
                    self.mux.fail(key, error.to_call_error());
                }
                return true;
            }
        }
        false
    }

    /// Ends a session, and fails the calls in flight on it.
    pub(super) fn end(&self, reason: Reason) {
        let outbox = self.mux.outlet();
        let unsent: HashSet<_> = outbox.drain().filter_map(|message| Calls::<()>::key_of(&message)).collect();
        self.mux.end(reason, |key| unsent.contains(&key));
        outbox.end();
    }
}

/// A session whose task runs. If the task is dropped, its calls fail rather than wait for ever.
struct Running(Option<Session>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            // No effect on a session that has ended.
            session.end(Reason::Ended("its session was stopped".into()));
        }
    }
}

//! Opens a session's standing stream before its client listens, if the client accepts requests of the server.
//!
//! A client opens its stream and makes its first call at once, on two connections, of which either can arrive first. The
//! server sends requests that belong to no call on the stream, and with many servers, a request without a stream is lost.
//! So the stream is opened as soon as the session is initialized, calls wait for it, and the listener takes it over.

use std::sync::Arc;

use crossway_proto::Message;
use crossway_proto::sse::SseDecoder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::limits;
use super::listen::{self, Opened, Opening};
use super::session::Session;

/// The state of opening the stream ahead.
#[derive(Default)]
pub(super) enum Ahead {
    /// The stream is not being opened ahead, or its listener has taken it over.
    #[default]
    None,
    Opening,
    /// Opening took too long: the listener continues it.
    Begun(Opening),
    Ready(Opened),
}

/// Whether the client of this `initialize` accepts requests of the server, by its capabilities (2025-11-25, basic/lifecycle).
pub(super) fn may_be_asked(initialize: &Message) -> bool {
    let params = initialize.params().and_then(|params| serde_json::from_slice::<Params>(params).ok());
    params.is_some_and(|Params { capabilities: declared }| {
        declared.elicitation.is_some() || declared.roots.is_some() || declared.sampling.is_some()
    })
}

#[derive(Deserialize)]
struct Params {
    capabilities: Capabilities,
}

#[derive(Deserialize)]
struct Capabilities {
    elicitation: Option<IgnoredAny>,
    roots: Option<IgnoredAny>,
    sampling: Option<IgnoredAny>,
}

/// Opens the stream in a task. Without a runtime, this is left to the listener.
pub(super) fn open(session: &Arc<Session>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if !session.begin_ahead() {
        return;
    }
    let session = Arc::clone(session);
    runtime.spawn(async move {
        let (badge, until) = (session.badge(), Instant::now() + limits::AHEAD);
        let decoder = Box::new(SseDecoder::new(session.shared.limits.message.message_bytes));
        let mut opening: Opening = Box::pin(listen::open(Arc::clone(&session), decoder, false));
        let opened = timeout_at(until, &mut opening).await;
        session.release();
        match opened {
            Ok(opened) => {
                session.put_ahead(&badge, opened);
                // Unread, the stream would hold up what the server sends on it.
                sleep_until(until).await;
                session.drop_ahead(&badge);
            }
            // Some servers send no head before the first event, which may never come.
            Err(_) => session.hand_ahead(&badge, opening),
        }
    });
}

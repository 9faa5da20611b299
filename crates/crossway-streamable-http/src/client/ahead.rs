//! Opens a session's standing stream before its client listens, if the client can be asked.
//!
//! A client opens its stream and makes its first call at once, on two connections, of which either can come first. Its
//! server asks on the stream what belongs to no call, and a question that finds no stream is lost with many servers. So
//! the stream is opened as soon as the session is initialized, calls let it go first, and whoever listens takes it over.

use std::sync::Arc;

use crossway_proto::Message;
use crossway_proto::sse::SseDecoder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::limits;
use super::listen::{self, Opened, Opening};
use super::session::Session;

/// How far the stream is.
#[derive(Default)]
pub(super) enum Ahead {
    /// Nobody opens it ahead, or its listener has it.
    #[default]
    None,
    Opening,
    /// It took too long: whoever listens goes on with it.
    Begun(Opening),
    Ready(Opened),
}

/// Whether the client of this `initialize` may be asked something: the capabilities of 2025-11-25, basic/lifecycle.
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

/// Opens the stream in a task. Without a runtime it is left to the listener.
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
                // Unread, it would hold up what the server sends there.
                sleep_until(until).await;
                session.drop_ahead(&badge);
            }
            // Some servers give no head before there is an event, and that may never come.
            Err(_) => session.hand_ahead(&badge, opening),
        }
    });
}

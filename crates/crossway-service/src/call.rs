//! The request side of the service interface: `Call`, and the `Context` of who asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossway_proto::{Message, Revision};

use crate::Extensions;

/// A message for an upstream, or a request to listen to it, together with the context of the client that makes it.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is asked.
    pub ask: Ask,
    /// Who asks, and how.
    pub context: Context,
}

impl Call {
    /// The request that this call delivers. `None` for notifications, responses and [`Ask::Listen`].
    #[must_use]
    pub fn request(&self) -> Option<&Message> {
        match &self.ask {
            Ask::Message(message) if message.is_request() => Some(message),
            _ => None,
        }
    }

    /// Whether this call delivers a message of this method.
    #[must_use]
    pub fn is_method(&self, method: &str) -> bool {
        matches!(&self.ask, Ask::Message(message) if message.is_method(method))
    }

    /// Whether it is a modern client's: its message or its context names such a revision.
    ///
    /// Each modern request names its revision in its `_meta` (2026-07-28, basic/index, `_meta`), and no legacy one does.
    #[must_use]
    pub fn is_modern(&self) -> bool {
        matches!(&self.ask, Ask::Message(message) if message.meta_version().is_some())
            || self.context.revision.is_some_and(Revision::is_modern)
    }
}

/// What is asked of an upstream.
// Exhaustive on purpose: whoever is asked has to answer each of these, so a new one must not compile unnoticed.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Deliver this message. A request is answered; a notification or a response is not.
    Message(Message),
    /// Listen for messages that belong to no call: server requests, list changes and logs. This is the GET stream of legacy revisions
    /// (2025-11-25, basic/transports, Listening for Messages from the Server). Modern clients send `subscriptions/listen` instead.
    Listen,
}

/// Which client makes a call, and how. It is not itself sent to the upstream.
///
/// The default is always the same client: its `origin` is 0. That is right for a program with one client on a
/// connection. Where several clients share a connection and choose their ids independently, each needs its
/// own [`Origin::unique`], or a cancellation of one may reach a call of another.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {
    /// Tells the clients of one connection apart: cancellation reaches only calls of the same origin.
    pub origin: Origin,
    /// The revision that the client speaks, where it is known.
    pub revision: Option<Revision>,
    /// When the client stops waiting.
    ///
    /// Upstreams that speak Streamable HTTP or call REST APIs and webhooks end a call then, and so do
    /// `TimeoutLayer` of `crossway-layers` and `Guard` of `crossway-router`. stdio, HTTP+SSE, `ToLegacy` and
    /// `rmcp` ignore it: put one of these two around such an upstream.
    pub deadline: Option<Instant>,
    /// Values that layers and transports attach for each other, by type.
    pub extensions: Extensions,
}

impl Context {
    /// The context of a client's calls.
    #[must_use]
    pub fn new(origin: Origin, revision: Option<Revision>) -> Self {
        Self { origin, revision, ..Self::default() }
    }
}

/// Identifies one client of a connection: a session, or a single stateless exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Origin(u64);

impl Origin {
    /// Returns an origin that no other caller in this process has.
    #[must_use]
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Its number, as [`crossway_proto::Calls`] takes it.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl Call {
    /// Asks an upstream to take a message.
    #[must_use]
    pub fn message(message: Message, context: Context) -> Self {
        Self { ask: Ask::Message(message), context }
    }

    /// Asks an upstream for the messages that belong to no call.
    #[must_use]
    pub fn listen(context: Context) -> Self {
        Self { ask: Ask::Listen, context }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use crossway_proto::Limits;

    use super::*;

    #[test]
    fn a_call_is_modern_by_its_message_or_by_its_context() {
        let message = |meta: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"_meta":{{{meta}}}}}}}"#);
            Message::parse(Bytes::from(text), &Limits::default()).unwrap()
        };
        let (plain, stamped) =
            (message(""), message(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#));
        let of = |revision| Context::new(Origin::default(), revision);
        for (is_modern, call) in [
            (false, Call::message(plain.clone(), of(None))),
            (false, Call::message(plain.clone(), of(Some(Revision::LATEST_LEGACY)))),
            (true, Call::message(plain, of(Some(Revision::V2026_07_28)))),
            (true, Call::message(stamped, of(None))),
            (false, Call::listen(of(None))),
            (true, Call::listen(of(Some(Revision::V2026_07_28)))),
        ] {
            assert_eq!(call.is_modern(), is_modern, "{call:?}");
        }
    }
}

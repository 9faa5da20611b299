//! The request side of the service interface: `Call`, and the `Context` of who asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossway_proto::{Message, Revision};

use crate::Extensions;

/// One thing that is asked of an upstream, with its context beside the bytes.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is asked.
    pub ask: Ask,
    /// Who asks, and how.
    pub context: Context,
}

/// What is asked of an upstream.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every call is a message, and is moved a few times only"
)]
pub enum Ask {
    /// That it takes a message: a request, which it answers, or a notification or a response, which it does not.
    Message(Message),
    /// What it has to say that belongs to no call: server requests, list changes, logs. This is the standing
    /// stream of legacy revisions (2025-11-25, basic/transports, Listening for Messages from the Server); modern
    /// clients ask by a request, `subscriptions/listen`.
    Listen,
}

/// Who asks, and how. Never sent upstream as it is.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {
    /// Tells the clients of one connection apart: cancellation reaches only calls of the same origin.
    pub origin: Origin,
    /// The revision that the client speaks, where it is known.
    pub revision: Option<Revision>,
    /// When the client stops waiting.
    pub deadline: Option<Instant>,
    /// What layers and transports tell each other, by type.
    pub extensions: Extensions,
}

impl Context {
    /// The context of a client's calls.
    #[must_use]
    pub fn new(origin: Origin, revision: Option<Revision>) -> Self {
        Self { origin, revision, ..Self::default() }
    }
}

/// A client of a connection: one session, or one stateless exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Origin(u64);

impl Origin {
    /// One that no other part of this process has.
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

    /// Asks an upstream for what belongs to no call.
    #[must_use]
    pub fn listen(context: Context) -> Self {
        Self { ask: Ask::Listen, context }
    }
}

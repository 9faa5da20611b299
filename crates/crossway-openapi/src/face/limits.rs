//! Every bound of the face, with its default and the reason for it.

use std::time::Duration;

/// How much a face accepts from its clients, and sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes of a request's body: a tool's arguments.
    pub body_bytes: usize,
    /// How long a request's body may make no progress.
    pub body_idle: Duration,
    /// The most bytes of an answer, which is a tool's result.
    pub answer_bytes: usize,
}

impl Limits {
    /// 8 MiB: a file of several megabytes in base64 fits, and what models write is far smaller.
    pub const BODY_BYTES: usize = 8 << 20;
    /// 30 seconds: enough for several retransmissions of a lost packet.
    pub const BODY_IDLE: Duration = Duration::from_secs(30);
    /// 32 MiB: pictures of a few megabytes each fit, and a chat has no use for more.
    pub const ANSWER_BYTES: usize = 32 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: Self::BODY_BYTES, body_idle: Self::BODY_IDLE, answer_bytes: Self::ANSWER_BYTES }
    }
}

impl Limits {
    /// The same limits with some changed: `Limits::default().with(|limits| limits.body_bytes = 1 << 20)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// How much of a refused body is read and thrown away, so that the refusal is not lost in a reset connection:
/// 64 MiB.
pub(crate) const DISCARD: usize = 64 << 20;

/// How much memory is allocated for a request body because of its `Content-Length`: 1 MiB. More is allocated
/// as the body arrives.
pub(crate) const BODY_RESERVE: usize = 1 << 20;

/// The deepest nesting of arguments, and of JSON in the text of an answer: 128, as deep as most JSON readers
/// go.
pub(crate) const DEPTH: usize = 128;

/// The most bytes of a tool's error that are passed on: 64 KiB, a long stack trace. Its cause is near the
/// beginning.
pub(crate) const FAILURE_BYTES: usize = 64 << 10;

/// The most parsed lists of tools that a face caches, and the most documents: 64. Callers with the same
/// rights share one.
pub(crate) const TOOLSETS: usize = 64;

/// The most bytes of those lists, and of those documents: 64 MiB each. A larger one is cached alone.
pub(crate) const KEPT_BYTES: usize = 64 << 20;

/// The most answers to `tools/list` that are recognized by their address in memory: 4,096. Others are
/// compared by their content.
pub(crate) const SEEN_LISTS: usize = 4096;

/// The most bytes of those answers: 64 MiB.
pub(crate) const SEEN_BYTES: usize = 64 << 20;

/// How long the document of several upstreams waits for upstreams of which nothing is known, once others are
/// known: 1 second. A running server sends its list much sooner.
pub(crate) const DOCUMENT_TIME: Duration = Duration::from_secs(1);

/// The most tools of a document: 5,000. No model chooses well among that many. Further tools can be called,
/// but are not in it.
pub(crate) const DOCUMENT_TOOLS: usize = 5000;

/// The most bytes of a document: 32 MiB, as many as an answer may have. Tools that do not fit are left out.
pub(crate) const DOCUMENT_BYTES: usize = 32 << 20;

/// The most pages of a list that are fetched: 1,000. Some servers never stop giving a next page.
pub(crate) const LIST_PAGES: usize = 1000;

/// The most bytes of a list that are fetched: 64 MiB, as many as one message may have.
pub(crate) const LIST_BYTES: usize = 64 << 20;

/// The most places of a schema once its references are replaced by what they refer to: 20,000. Beyond that,
/// references stay.
pub(crate) const SCHEMA_PLACES: usize = 20_000;

/// The bytes of plain values and names in such a schema that count as one more place: 256, a description of
/// three lines. A value that is referred to often would be repeated as often.
pub(crate) const SCHEMA_PLACE_BYTES: usize = 256;

/// The deepest nesting of a schema at which references are still replaced. Schemas that people write have
/// five or six levels.
pub(crate) const SCHEMA_DEPTH: usize = 32;

/// The longest operation id: 64, the most that models accept as the name of a function.
pub(crate) const OPERATION_ID: usize = 64;

/// The longest key: 1,024 bytes.
pub(crate) const KEY_BYTES: usize = 1024;

/// How long clients are told to wait when there is no room, in seconds: 5.
pub(crate) const RETRY_AFTER: u64 = 5;

//! Every bound of the face, with its default and the reason for it.

use std::time::Duration;

/// How much a face takes of its clients, and gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes of a request's body: a tool's arguments.
    pub body_bytes: usize,
    /// How long a request's body may make no progress.
    pub body_idle: Duration,
    /// The most bytes of an answer: a tool's result as it is told.
    pub answer_bytes: usize,
}

impl Limits {
    /// 8 MiB: a file of several megabytes in base64 fits, and nothing that a model writes is near.
    pub const BODY_BYTES: usize = 8 << 20;
    /// 30 seconds: a packet that was lost is sent anew several times in that.
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

/// How much of a body is read and thrown away after it was refused, so that the refusal is not lost in a reset connection: 64 MiB.
pub(crate) const DISCARD: usize = 64 << 20;

/// How much is allocated for a request body by its `Content-Length` alone: 1 MiB. What came vouches for the rest.
pub(crate) const BODY_RESERVE: usize = 1 << 20;

/// How deep arguments, and JSON in the text of an answer, may be nested: 128, what most readers of JSON take.
pub(crate) const DEPTH: usize = 128;

/// How much is passed on of what a tool says of its failure: 64 KiB, a long trace of a stack. What is wrong is said before that.
pub(crate) const FAILURE_BYTES: usize = 64 << 10;

/// How many lists of tools a face keeps read, and how many documents: 64. Callers whose rights are alike share one.
pub(crate) const TOOLSETS: usize = 64;

/// How many bytes those lists may have, and those documents: 64 MiB each. One that has more is kept alone.
pub(crate) const KEPT_BYTES: usize = 64 << 20;

/// How many answers to `tools/list` are known again by where they are in memory: 4,096. The others are compared.
pub(crate) const SEEN_LISTS: usize = 4096;

/// How many bytes those answers may have: 64 MiB.
pub(crate) const SEEN_BYTES: usize = 64 << 20;

/// How long the document of several upstreams waits for one of which nothing is known, once others are: 1 second, in which a server that
/// runs tells its list many times over.
pub(crate) const DOCUMENT_TIME: Duration = Duration::from_secs(1);

/// How many tools a document has: 5,000. No model chooses well among as many. The others can be called without it.
pub(crate) const DOCUMENT_TOOLS: usize = 5000;

/// How many bytes a document has: 32 MiB, what an answer may have. Tools for which there is no room are left out.
pub(crate) const DOCUMENT_BYTES: usize = 32 << 20;

/// How many pages of a list are fetched: 1,000. A server that goes on has no end.
pub(crate) const LIST_PAGES: usize = 1000;

/// How many bytes of a list are fetched: 64 MiB, what one message may have.
pub(crate) const LIST_BYTES: usize = 64 << 20;

/// How many places a schema may have once what it refers to stands in it: 20,000. Beyond that, references stay references.
pub(crate) const SCHEMA_PLACES: usize = 20_000;

/// How many bytes of plain values and names in such a schema count as one of those places: 256, a description of three lines. One that is referred to often
/// would be written as often.
pub(crate) const SCHEMA_PLACE_BYTES: usize = 256;

/// How deep a schema may stand in others for references in it to be replaced. Schemas that people write have five or six levels.
pub(crate) const SCHEMA_DEPTH: usize = 32;

/// The longest operation id: 64, what models take for the name of a function.
pub(crate) const OPERATION_ID: usize = 64;

/// The longest key: 1,024 bytes.
pub(crate) const KEY_BYTES: usize = 1024;

/// What clients are told to wait when there is no room, in seconds: 5.
pub(crate) const RETRY_AFTER: u64 = 5;

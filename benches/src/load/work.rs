//! The work of a run, validated.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::address::Address;
use crate::procfs::Watch;
use crate::revision::Revision;

/// The server's address or command, by transport.
#[derive(Debug, Clone)]
pub enum Target {
    /// A Streamable HTTP endpoint.
    StreamableHttp(Address),
    /// The stream of an HTTP+SSE server.
    HttpSse(Address),
    /// A command, started once per session.
    Stdio(Vec<String>),
    /// The base URL of an OpenAPI server, whose tools are paths below it.
    OpenApi(Address),
}

/// How long a run lasts.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// This duration.
    Time(Duration),
    /// This number of calls, of all sessions together.
    Calls(u64),
}

/// One run of the load generator.
#[derive(Debug, Clone)]
pub struct Work {
    /// The server.
    pub target: Target,
    /// The revision to speak.
    pub revision: Revision,
    /// The number of sessions.
    pub sessions: usize,
    /// The number of calls in flight per session.
    pub concurrency: usize,
    /// The length of each call's text, in bytes.
    pub payload: usize,
    /// The length of the run.
    pub length: Length,
    /// The warm-up before anything is measured.
    pub warmup: Duration,
    /// The tool to call.
    pub tool: String,
    /// The argument for the text.
    pub argument: String,
    /// The tool's prefix of the text in its answer.
    pub answer_prefix: String,
    /// The time after which a call without an answer counts as lost.
    pub timeout: Duration,
    /// The number of threads that make the load.
    pub threads: usize,
    /// Whether to open the GET stream of each Streamable HTTP session.
    pub with_get_stream: bool,
    /// Headers for each HTTP request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether to pass the server's stderr through (stdio).
    pub show_stderr: bool,
    /// The processes whose time and memory are reported.
    pub watch: Watch,
    /// Whether to draw a progress bar, if there is a terminal.
    pub progress: bool,
}

impl Work {
    /// The work of one session with one call of 64 bytes in flight, for two seconds.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            revision: Revision::V2025_11_25,
            sessions: 1,
            concurrency: 1,
            payload: 64,
            length: Length::Time(Duration::from_secs(2)),
            warmup: Duration::from_millis(500),
            tool: "echo".to_owned(),
            argument: "message".to_owned(),
            answer_prefix: String::new(),
            timeout: Duration::from_secs(30),
            threads: 1,
            with_get_stream: false,
            headers: Vec::new(),
            show_stderr: false,
            watch: Watch::default(),
            progress: false,
        }
    }
}

/// Why a run could not be made. Faults of calls are not errors: they are counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A session could not be set up.
    #[error("session {number} of {of} could not be set up: {why}")]
    SetUp {
        /// The number of the session.
        number: usize,
        /// The number of sessions.
        of: usize,
        /// The error.
        why: String,
    },
    /// The watched processes can't be measured.
    #[error("the processes to be measured can't be read")]
    Watch(#[source] std::io::Error),
    /// A thread or a runtime could not be created.
    #[error("the load generator could not start")]
    Start(#[source] std::io::Error),
    /// A thread of the load generator ended unexpectedly.
    #[error("a thread of the load generator broke off")]
    BrokeOff,
}

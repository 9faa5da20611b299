//! What is to be done: the work, checked and ready.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::address::Address;
use crate::procfs::Watch;
use crate::revision::Revision;

/// Where the server is, and over which transport.
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
    /// That long.
    Time(Duration),
    /// That many calls, of all sessions together.
    Calls(u64),
}

/// One run of the load generator.
#[derive(Debug, Clone)]
pub struct Work {
    /// Where the server is.
    pub target: Target,
    /// The revision to speak.
    pub revision: Revision,
    /// How many sessions.
    pub sessions: usize,
    /// How many calls each session has in flight.
    pub concurrency: usize,
    /// How long the text of each call is, in bytes.
    pub payload: usize,
    /// How long the run lasts.
    pub length: Length,
    /// How long calls are made before anything is measured.
    pub warmup: Duration,
    /// The tool to call.
    pub tool: String,
    /// The argument that the text goes into.
    pub argument: String,
    /// What the tool puts before the text in its answer.
    pub answer_prefix: String,
    /// How long an answer may take before it counts as lost.
    pub timeout: Duration,
    /// How many threads make the load.
    pub threads: usize,
    /// Open the GET stream of each Streamable HTTP session.
    pub with_get_stream: bool,
    /// Headers for each HTTP request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Let the server's stderr through (stdio).
    pub show_stderr: bool,
    /// The processes whose time and memory is reported.
    pub watch: Watch,
    /// Draw a progress bar, where there is a terminal.
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

/// Why a run could not be made. Calls that fail are no error: they are counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A session could not be set up.
    #[error("session {number} of {of} could not be set up: {why}")]
    SetUp {
        /// Which session.
        number: usize,
        /// Of how many.
        of: usize,
        /// What went wrong.
        why: String,
    },
    /// The processes to be measured can't be.
    #[error("the processes to be measured can't be read")]
    Watch(#[source] std::io::Error),
    /// A thread or a runtime could not be made.
    #[error("the load generator could not start")]
    Start(#[source] std::io::Error),
    /// A thread of the load generator ended without saying why.
    #[error("a thread of the load generator broke off")]
    BrokeOff,
}

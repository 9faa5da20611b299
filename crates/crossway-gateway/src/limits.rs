//! Every bound of the commands, and of what they wait for, with its value and the reason for it.

use std::time::Duration;

/// How long a client of `crossway stdio` may take for its first request to a server that can't be reached. Clients send it as they start.
pub(crate) const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// How long `crossway health` waits for an answer: a probe of Docker gives up after 30 s, and one that hangs says less than one that fails.
pub(crate) const HEALTH_ANSWER: Duration = Duration::from_secs(5);

/// How long calls in flight get at the end of `crossway openapi`: as with a bridge.
pub(crate) const OPENAPI_DRAIN: Duration = Duration::from_secs(10);

/// How long a server may take for its first list before `crossway openapi` serves documents without.
pub(crate) const OPENAPI_FIRST_LIST: Duration = Duration::from_secs(30);

/// How long a call of `crossway openapi` may be without a sign of life from its server: as with a bridge.
pub(crate) const OPENAPI_IDLE: Duration = Duration::from_secs(300);

/// How long `crossway stdio` waits for a URL that has not answered yet, once its client has closed its side: less than launchers
/// wait for the process to end (2 s in the SDKs).
pub(crate) const REACHED_FOR_NOBODY: Duration = Duration::from_millis(1500);

/// How many sessions a command of a bridge has at once, over each of Streamable HTTP and HTTP+SSE and for requests without a session, unless
/// `--sessions` says otherwise: 256, as many as an upstream of `crossway serve`. Each may be a process.
pub(crate) const COMMAND_SESSIONS: usize = 256;

/// How many servers of a bridge are named to a client that asks for another: as many as somebody reads.
pub(crate) const NAMES_TOLD: usize = 20;

/// How long after one signal to end another one is the same wish: `timeout` sends two within microseconds, and nobody presses Ctrl-C twice as
/// fast.
pub(crate) const SAME_WISH: Duration = Duration::from_millis(500);

/// How long answers that tell of the end may take to their clients when calls are cut off at the end of a drain.
pub(crate) const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long a call waits for its upstream to be there: less than clients wait, so that they are told why.
pub(crate) const UPSTREAM_PATIENCE: Duration = Duration::from_secs(10);

/// How long an upstream without an instance is shown as down after a call could not be supplied with credentials.
pub(crate) const TROUBLE_TIME: Duration = Duration::from_secs(60);

/// How long it takes until a server that can't be reached is tried again. It doubles each time.
pub(crate) const UPSTREAM_RETRY: Duration = Duration::from_secs(1);

/// The same at most.
pub(crate) const UPSTREAM_RETRY_MOST: Duration = Duration::from_secs(60);

/// How long a URL may be silent before the log says that it is waited for.
pub(crate) const URL_SILENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether a file of servers has changed. It is asked for, since that sees through links that are turned elsewhere, as
/// Kubernetes does, and works on all file systems.
pub(crate) const SERVERS_FILE_LOOK: Duration = Duration::from_secs(1);

/// Bytes of a file of servers: 4 MiB. A file with more than that is another one.
pub(crate) const SERVERS_FILE_BYTES: u64 = 4 << 20;

/// How many characters of what a server or an API's document says go into a line of the log or of a command: 200.
pub(crate) const EXCERPT_CHARS: usize = 200;

//! Every bound of the commands, and of what they wait for, with its value and the reason for it.

use std::time::Duration;

/// How long a client of `crossway stdio` may take to send its first request if the server can't be reached.
/// Clients send it when they start.
pub(crate) const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// How long `crossway health` waits for an answer. Docker ends a probe after 30 s, and a probe that fails
/// says more than one that hangs.
pub(crate) const HEALTH_ANSWER: Duration = Duration::from_secs(5);

/// How long calls in flight may take at the end of `crossway openapi`: as with a bridge.
pub(crate) const OPENAPI_DRAIN: Duration = Duration::from_secs(10);

/// How long a server may take for its first list before `crossway openapi` serves documents without it.
pub(crate) const OPENAPI_FIRST_LIST: Duration = Duration::from_secs(30);

/// How long a call of `crossway openapi` may be without a sign of life from its server: as with a bridge.
pub(crate) const OPENAPI_IDLE: Duration = Duration::from_secs(300);

/// How long `crossway stdio` waits for a URL that has not answered yet after its client has closed its side.
/// Launchers wait longer for the process to end (2 s in the SDKs).
pub(crate) const REACHED_FOR_NOBODY: Duration = Duration::from_millis(1500);

/// The most sessions of a bridge's command at once, unless `--sessions` says otherwise: 256, as many as an
/// upstream of `crossway serve` has. Each may be a process. It holds for Streamable HTTP, for HTTP+SSE and
/// for requests without a session separately.
pub(crate) const COMMAND_SESSIONS: usize = 256;

/// The most servers of a bridge that are named to a client that asks for an unknown one: as many as somebody
/// reads.
pub(crate) const NAMES_TOLD: usize = 20;

/// How long after a signal to end another one counts as the same: `timeout` sends two within microseconds,
/// and nobody presses Ctrl-C twice that fast.
pub(crate) const SAME_WISH: Duration = Duration::from_millis(500);

/// How long the answers to calls that are cut off at the end of a drain may take to reach their clients.
pub(crate) const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long a call waits until its upstream is connected. Clients wait longer, so they are told the reason.
pub(crate) const UPSTREAM_PATIENCE: Duration = Duration::from_secs(10);

/// How long an upstream without an instance is shown as down after credentials for a call could not be had.
pub(crate) const TROUBLE_TIME: Duration = Duration::from_secs(60);

/// The pause before a server that can't be reached is tried again. It doubles each time.
pub(crate) const UPSTREAM_RETRY: Duration = Duration::from_secs(1);

/// The time between two lines of the log about the same failure to reach a server, by whichever of its instances. The later line counts
/// those that were left out.
pub(crate) const FAILURE_LINE: Duration = Duration::from_secs(60);

/// The most causes of failing to reach a server that are told apart; the oldest goes.
pub(crate) const FAILURE_CAUSES: usize = 16;

/// The longest of these pauses.
pub(crate) const UPSTREAM_RETRY_MOST: Duration = Duration::from_secs(60);

/// How long a URL may be silent before the log says that it is waited for.
pub(crate) const URL_SILENCE: Duration = Duration::from_secs(5);

/// How often a file of servers is checked for changes. Checking also works with links that are replaced, as
/// Kubernetes does it, and on all file systems.
pub(crate) const SERVERS_FILE_LOOK: Duration = Duration::from_secs(1);

/// The longest file of servers, in bytes: 4 MiB. A longer file is something else.
pub(crate) const SERVERS_FILE_BYTES: u64 = 4 << 20;

/// The most characters of a text from a server or from an API's document in a line of the log or of a
/// command: 200.
pub(crate) const EXCERPT_CHARS: usize = 200;

//! Every bound of reading a config, with its value and the reason for it.

/// 4 MiB for a config file: 10,000 grants take about one. A longer file is something else.
pub const FILE_BYTES: u64 = 4 << 20;

/// 32 levels of lists and maps: five are needed, and conditions on claims may be a few deeper.
pub const DEPTH: usize = 32;

/// 500,000 values, without keys: 10,000 grants have a tenth of that. The value of a YAML alias counts at each
/// use, so that aliases of aliases can't grow without end.
pub const VALUES: usize = 500_000;

/// 50 findings: more of them have the same cause.
pub const FINDINGS: usize = 50;

/// 64 KiB for a secret in a file. Tokens of 32 KiB occur in the field.
pub const SECRET_BYTES: u64 = 64 << 10;

/// 1,000 upstreams, `mcpServers` included: ten times what the gateway is measured with.
pub const UPSTREAMS: usize = 1000;

/// 64 bytes: an upstream's name is part of URLs and of the names of its tools, for which clients accept 64
/// bytes.
pub const NAME_BYTES: usize = 64;

/// 1,024 threads that serve: more than machines have processors, so that more threads would be of no use.
pub const THREADS: usize = 1024;

/// 1 KiB: the smallest bound that can be set for messages. `initialize` alone takes some hundred bytes.
pub const MESSAGE_LEAST: usize = 1 << 10;

/// 1 year: the longest time on the command line or in a config.
pub const LONGEST: std::time::Duration = std::time::Duration::from_secs(365 * 86_400);

/// 5 minutes: how long a call may go without a sign of life from its upstream, as with `crossway bridge`.
pub const CALL_IDLE: std::time::Duration = std::time::Duration::from_secs(300);

/// 10 seconds: how long calls in flight may take to finish after SIGTERM, as with `crossway bridge`.
pub const DRAIN: std::time::Duration = std::time::Duration::from_secs(10);

/// 8 seconds: how long a gateway that ends waits for its children and for connections with its upstreams.
/// That is a little more than the 3 s and 3 s that a child gets to end by itself.
pub const ENDINGS: std::time::Duration = std::time::Duration::from_secs(8);

/// 5 seconds: how long a gateway that ends waits for the last records of calls to be written once all calls
/// are over. A disk takes milliseconds; a program that reads the records from standard error may take longer.
pub const AUDIT_END: std::time::Duration = std::time::Duration::from_secs(5);

/// 1 second: how often the gateway checks whether the audit file still has its name. Log rotation renames it,
/// which an open file does not show.
pub const AUDIT_LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// 65,536: the soft limit of open files that the gateway sets if the hard limit allows it. That is enough for
/// the most connections, with one to an upstream for each, twice over. Shells and service managers set 1,024,
/// for old programs that fail with more.
pub const OPEN_FILES: u64 = 65_536;

/// 15 minutes: how often an OpenAPI document at a URL is fetched again. APIs get new operations once a week
/// or so, and a server that answers with `ETag` or `Last-Modified` sends nothing if nothing has changed.
pub const DOCUMENT_REFRESH: std::time::Duration = std::time::Duration::from_secs(900);

/// 1 second: the shortest time between two fetches of an OpenAPI document that can be set.
pub const DOCUMENT_REFRESH_LEAST: std::time::Duration = std::time::Duration::from_secs(1);

/// 1 second: the pause before a document that could not be fetched is fetched again. It doubles each time.
pub const DOCUMENT_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// 60 seconds: the longest of these pauses.
pub const DOCUMENT_RETRY_MOST: std::time::Duration = std::time::Duration::from_secs(60);

/// 1 second: how often files are checked for changes. Kubernetes itself takes a minute to deliver a change.
pub const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// 250 ms: how long files have to stay the same before a change is read. A program that writes a file in
/// pieces writes the next piece sooner.
pub const SETTLED: std::time::Duration = std::time::Duration::from_millis(250);

/// 10 seconds: how long files may keep changing before the log says that they are not read meanwhile.
pub const UNSETTLED: std::time::Duration = std::time::Duration::from_secs(10);

//! Every bound of reading a config, with its value and the reason for it.

/// 4 MiB: 10,000 grants take about one, and a file with more than that is another one.
pub const FILE_BYTES: u64 = 4 << 20;

/// 32 levels of lists and maps: five are needed, and conditions on claims may be a few deeper.
pub const DEPTH: usize = 32;

/// 500,000 values, keys not counted: 10,000 grants have a tenth of that. What YAML aliases stand for counts each time, so that
/// aliases of aliases end here.
pub const VALUES: usize = 500_000;

/// 50 findings: who has more of them has one cause.
pub const FINDINGS: usize = 50;

/// 64 KiB: a secret that a file has. Tokens of 32 KiB are met in the field.
pub const SECRET_BYTES: u64 = 64 << 10;

/// 1,000 upstreams, `mcpServers` counted: ten times what the gateway is measured with.
pub const UPSTREAMS: usize = 1000;

/// 64 bytes: an upstream's name is a part of URLs, and of the names of its tools, for which clients take 64 bytes.
pub const NAME_BYTES: usize = 64;

/// 1,024 threads at most serve: more than machines have processors, of which more threads make no use.
pub const THREADS: usize = 1024;

/// 1 KiB: messages may be bounded by no less, for `initialize` alone takes some hundreds of bytes.
pub const MESSAGE_LEAST: usize = 1 << 10;

/// 1 year: no time of the command line or of a config is longer.
pub const LONGEST: std::time::Duration = std::time::Duration::from_secs(365 * 86_400);

/// 5 minutes: how long a call may be without a sign of life from its upstream, as `crossway bridge` has it.
pub const CALL_IDLE: std::time::Duration = std::time::Duration::from_secs(300);

/// 10 seconds: how long calls in flight may take to finish after SIGTERM, as `crossway bridge` has it.
pub const DRAIN: std::time::Duration = std::time::Duration::from_secs(10);

/// 8 seconds: how long a gateway that ends waits for its children and for connections with its upstreams: the 3 s and 3 s that a child gets to
/// end by itself, and then some.
pub const ENDINGS: std::time::Duration = std::time::Duration::from_secs(8);

/// 5 seconds: how long a gateway that ends waits for the last records of calls to be written, once all calls are over. A disk takes
/// milliseconds; what reads the records from standard error may take its time.
pub const AUDIT_END: std::time::Duration = std::time::Duration::from_secs(5);

/// 1 second: how often it is looked at whether the audit file is still the one of its name, which rotation by renaming does not notice.
pub const AUDIT_LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// 65,536: to how many open files the soft limit is raised, if the hard one allows: for as many connections as there may be, and one with an
/// upstream for each, twice over. Shells and service managers set 1,024, for programs that can't count further.
pub const OPEN_FILES: u64 = 65_536;

/// 15 minutes: how often an OpenAPI document at a URL is fetched again. APIs get operations by the week, and a server that says by `ETag`
/// or `Last-Modified` that nothing is new sends nothing.
pub const DOCUMENT_REFRESH: std::time::Duration = std::time::Duration::from_secs(900);

/// 1 second: how often an OpenAPI document at a URL may be fetched again at most.
pub const DOCUMENT_REFRESH_LEAST: std::time::Duration = std::time::Duration::from_secs(1);

/// 1 second: how soon a document is asked for again that could not be had. It doubles each time.
pub const DOCUMENT_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// 60 seconds: the longest that becomes.
pub const DOCUMENT_RETRY_MOST: std::time::Duration = std::time::Duration::from_secs(60);

/// 1 second: how often it is looked whether a file has changed. Kubernetes itself takes a minute to bring a change.
pub const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// 250 ms: how long files have to be the same before a change of them is read. Whoever writes a file a piece at a time writes the
/// next one sooner.
pub const SETTLED: std::time::Duration = std::time::Duration::from_millis(250);

/// 10 seconds: how long files may be written again and again before the log says that they are not read meanwhile.
pub const UNSETTLED: std::time::Duration = std::time::Duration::from_secs(10);

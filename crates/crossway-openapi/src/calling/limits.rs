//! Every bound of the HTTP requests that tools make, with its default and the reason for it.

use std::time::Duration;

/// How long a connection may take to be made: 10 seconds, three lost SYN packets.
pub const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is kept that carries no request: 4 seconds, a second less than Node and uvicorn keep theirs, so that no
/// request meets their hanging up.
pub const KEPT: Duration = Duration::from_secs(4);
/// How many connections are kept with one origin that carry no request: 64, of about 10 KiB each. Bursts beyond open new ones.
pub const KEPT_CONNECTIONS: usize = 64;
/// How many redirects of a GET are followed within its origin: 3, for a slash at the end and a moved path need two.
pub const REDIRECTS: usize = 3;
/// How long an answer may take in all: 60 seconds, as long as proxies wait.
pub const CALL_TIME: Duration = Duration::from_secs(60);
/// How much of an answer is taken: 1 MiB, more than a model reads.
pub const ANSWER_BYTES: usize = 1 << 20;
/// How much of what an error says is passed on: 8 KiB. What is wrong is said at its beginning.
pub const ERROR_BYTES: usize = 8 << 10;
/// The shortest secret that is taken out of errors that repeat it: 4 bytes. Shorter ones are in many words.
pub const REDACTED_LEAST: usize = 4;
/// The shortest word of a header of several words that is taken for a secret by itself: 8 bytes. Shorter ones are names.
pub const REDACTED_WORD_LEAST: usize = 8;
/// How many bytes are compared to find secrets in an error: 1,048,576, a millisecond or two. What is behind that is cut.
pub const REDACTING_STEPS: usize = 1 << 20;
/// How long a path may be that an answer says where something is, for it to be told: 1 KiB. Ids are at the end of paths, and short.
pub const LOCATION_BYTES: usize = 1 << 10;
/// The longest time that an API may tell us to wait: an hour.
pub const RETRY_ASKED_MAX: Duration = Duration::from_secs(3600);
/// How many tools are told at once: 250, about 256 KiB of them.
pub const PAGE_TOOLS: usize = 250;
/// How long a list of tools holds: a minute. Those who listen are told when it changes.
pub const LIST_HOLDS: Duration = Duration::from_secs(60);

//! Every bound of the HTTP requests that tools make, with its default and the reason for it.

use std::time::Duration;

/// How long a connection may take to open: 10 seconds, three lost SYN packets.
pub const CONNECT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept: 4 seconds, a second less than Node and uvicorn keep theirs, so that
/// no request meets a connection that they are closing.
pub const KEPT: Duration = Duration::from_secs(4);
/// The most unused connections that are kept with one origin: 64, of about 10 KiB each. Bursts beyond that
/// open new ones.
pub const KEPT_CONNECTIONS: usize = 64;
/// The most redirects of a GET that are followed within its origin: 3. A trailing slash and a moved path need
/// two.
pub const REDIRECTS: usize = 3;
/// How long a whole answer may take: 60 seconds, as long as proxies wait.
pub const CALL_TIME: Duration = Duration::from_secs(60);
/// The most bytes of an answer: 1 MiB, more than a model reads.
pub const ANSWER_BYTES: usize = 1 << 20;
/// How much of an API's error is passed on: 8 KiB. Its cause is near the beginning.
pub const ERROR_BYTES: usize = 8 << 10;
/// The shortest secret that is removed from errors that repeat it: 4 bytes. Shorter ones are part of many
/// words.
pub const REDACTED_LEAST: usize = 4;
/// The shortest word of a header of several words that counts as a secret by itself: 8 bytes. Shorter ones
/// are names.
pub const REDACTED_WORD_LEAST: usize = 8;
/// The most bytes that are compared to find secrets in an error: 1,048,576, which takes a millisecond or two.
/// The text after that is cut off.
pub const REDACTING_STEPS: usize = 1 << 20;
/// The longest path from a `Location` header that is reported: 1 KiB. Ids are at the end of paths, and short.
pub const LOCATION_BYTES: usize = 1 << 10;
/// The longest pause that an API may ask for: an hour.
pub const RETRY_ASKED_MAX: Duration = Duration::from_secs(3600);
/// The most tools in one page of a list: 250, about 256 KiB of them.
pub const PAGE_TOOLS: usize = 250;
/// How long a list of tools stays fresh: a minute. Listeners are told when it changes.
pub const LIST_HOLDS: Duration = Duration::from_secs(60);

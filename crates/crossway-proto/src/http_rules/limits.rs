//! Every bound of the header rules, with the reason for it.

/// The longest session id: 1 KiB. Ids in use have 32 to 300 bytes, those that carry sealed state included.
pub const SESSION_ID_BYTES: usize = 1024;

/// The longest protocol version that is repeated in a refusal: 64 bytes. Those that exist have ten.
pub const VERSION_BYTES: usize = 64;

/// The longest value that is mirrored in a header: 64 KiB. Few servers take as much in all headers together.
pub const MIRRORED_BYTES: usize = 64 * 1024;

/// The most arguments of one tool that are mirrored in headers: 64. Servers refuse heads with some 100 headers.
pub const PARAM_HEADERS: usize = 64;

/// The most that is repeated of the headers' names that a web page asks to send: 4 KiB, 64 mirrored arguments with long names.
pub const REQUESTED_HEADERS_BYTES: usize = 4 * 1024;

/// How long browsers may keep what they were told of a page's requests, in seconds: 10 minutes. Chromium asks again after two hours
/// whatever is said, and an origin that may call no more is refused at once.
pub const PREFLIGHT_SECONDS: u64 = 600;

/// The longest name of an answer's coding that is repeated in an error: 64 bytes. Those in use have ten at the most.
pub const CODING_BYTES: usize = 64;

//! Every bound of the header rules, with the reason for it.

/// The longest session id: 1 KiB. Ids in use have 32 to 300 bytes, those that carry sealed state included.
pub const SESSION_ID_BYTES: usize = 1024;

/// The longest protocol version that a refusal repeats: 64 bytes. Real ones have ten.
pub const VERSION_BYTES: usize = 64;

/// The longest value that is mirrored in a header: 64 KiB. Few servers accept as much in all headers
/// together.
pub const MIRRORED_BYTES: usize = 64 * 1024;

/// The most arguments of one tool that are mirrored in headers: 64. Servers refuse requests with more than
/// about 100 headers.
pub const PARAM_HEADERS: usize = 64;

/// The most bytes that are repeated of the header names that a web page wants to send: 4 KiB, enough for 64
/// mirrored arguments with long names.
pub const REQUESTED_HEADERS_BYTES: usize = 4 * 1024;

/// How long browsers may cache the answer to a preflight request, in seconds: 10 minutes. Chromium asks again
/// after two hours in any case. An origin that is no longer allowed is refused at once.
pub const PREFLIGHT_SECONDS: u64 = 600;

/// The longest name of a content coding that an error repeats: 64 bytes. Those in use have ten at most.
pub const CODING_BYTES: usize = 64;

//! Every bound of this crate, with its value and the reason for it.

/// The most resources that one client may subscribe to: 4,096, more than a person can look at.
pub const SUBSCRIPTIONS: usize = 4096;

/// The most rounds of input that one call may take: 16. A server that goes on asking asks in circles.
pub const ROUNDS: u32 = 16;

/// The most questions of one round: 64.
pub const QUESTIONS: usize = 64;

/// The longest that a client may introduce itself, as JSON text: 4 KiB. A name, a version and links to some icons are a tenth of that, and it is kept with
/// each session and goes along with each call.
pub const CLIENT_INFO: usize = 4 << 10;

/// The longest that what a client can do may be, as JSON text, once it is reduced to what servers of the other era may know: 4 KiB. It is kept with each
/// session, and goes along with each call.
pub const CLIENT_CAPABILITIES: usize = 4 << 10;

/// The longest URI of a resource subscription: 8 KiB, what HTTP servers take of a URL.
pub const SUBSCRIBED_URI: usize = 8 << 10;

/// The longest protocol version that is repeated in a refusal: 64 bytes. Those that exist have ten.
pub const VERSION_BYTES: usize = 64;

/// The most characters of what a server says when it opens no session that errors repeat: 200. They go into logs, and a server may say megabytes.
pub const REFUSAL_CHARS: usize = 200;

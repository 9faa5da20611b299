//! Every bound of this crate, with its value and the reason for it.

/// The most resources that one client may subscribe to: 4,096, more than a person can look at.
pub const SUBSCRIPTIONS: usize = 4096;

/// The most rounds of input that one call may ask for: 16. A server that asks for more is asking in circles.
pub const ROUNDS: u32 = 16;

/// The most questions of one round: 64.
pub const QUESTIONS: usize = 64;

/// The longest `clientInfo` of a client, as JSON text: 4 KiB. A name, a version and links to some icons take
/// a tenth of that. It is kept with each session and sent with each call.
pub const CLIENT_INFO: usize = 4 << 10;

/// The longest capabilities of a client, as JSON text, after they are reduced to those that servers of the
/// other era may know: 4 KiB. They are kept with each session and sent with each call.
pub const CLIENT_CAPABILITIES: usize = 4 << 10;

/// The longest URI of a resource subscription: 8 KiB, as much as HTTP servers accept of a URL.
pub const SUBSCRIBED_URI: usize = 8 << 10;

/// The longest protocol version that a refusal repeats: 64 bytes. Real ones have ten.
pub const VERSION_BYTES: usize = 64;

/// The most characters that errors repeat of a server's reason for opening no session: 200. Errors go into
/// logs, and a server may send megabytes.
pub const REFUSAL_CHARS: usize = 200;

//! Every bound of TLS, with its default and the reason for it.

use std::time::Duration;

/// How long a handshake may take: 10 seconds, enough for a few retransmissions of a lost packet.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often the files are checked for changes: each 10 seconds. They are small, and certificates are renewed
/// days before they expire.
pub const LOOK: Duration = Duration::from_secs(10);
/// The largest file: 1 MiB, some hundred authorities.
pub const FILE_BYTES: u64 = 1 << 20;
/// The most names of a client's certificate that are read: 64.
pub const NAMES: usize = 64;

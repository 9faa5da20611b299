//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// 8 KiB of the head of a proxy's answer to CONNECT. Only its status matters.
pub const ANSWER_BYTES: usize = 8 << 10;

/// Ten seconds between two readings of the machine's root certificates: a server of an unknown issuer does not make each connection read
/// a few hundred files.
pub const ROOTS_AGAIN: Duration = Duration::from_secs(10);

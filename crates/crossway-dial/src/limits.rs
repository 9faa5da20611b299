//! Every bound of this crate, with its value and the reason for it.

/// 8 KiB: the head of a proxy's answer to CONNECT. Nothing but its status is of use.
pub const ANSWER_BYTES: usize = 8 << 10;

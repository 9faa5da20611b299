//! Every bound of this crate, with its value and the reason for it.

/// 8 KiB of the head of a proxy's answer to CONNECT. Only its status matters.
pub const ANSWER_BYTES: usize = 8 << 10;

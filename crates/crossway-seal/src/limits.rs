//! Every bound of this crate, with its value and the reason for it.

/// The longest handle that is looked at, in bytes: 16 KiB, what a header section may have. Longer ones are not opened.
pub const HANDLE_BYTES: usize = 16 * 1024;

/// The most keys in a ring: 8. More are never alive at once.
pub const KEYS: usize = 8;

//! Every bound of this crate, with its value and the reason for it.

/// The longest handle that is opened, in bytes: 16 KiB, as much as a header section may have.
pub const HANDLE_BYTES: usize = 16 * 1024;

/// The most keys in a ring: 8. No rotation of keys needs more at once.
pub const KEYS: usize = 8;

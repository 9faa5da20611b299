//! Every bound of the log, with its value and the reason for it.

use std::time::Duration;

/// The most bytes of the log that wait to be written: 1 MiB, some 8,000 lines. As much again may be in the
/// course of being written. More is dropped and counted: a log that nobody reads must not hold up calls.
pub(super) const LOG_BYTES: usize = 1 << 20;

/// The longest line: 64 KiB. A longer one is dropped and counted, so that it displaces no others. Lines of
/// text are shorter, see [`LOG_FIELDS_BYTES`]; lines of JSON can't be cut.
pub(super) const LOG_LINE_BYTES: usize = 64 << 10;

/// The most bytes of a line's fields that are written as text: 16 KiB, more than anybody reads. The rest is
/// cut off.
pub(super) const LOG_FIELDS_BYTES: usize = 16 << 10;

/// How much memory for lines is kept when nothing waits: 64 KiB, enough for a busy moment.
pub(super) const LOG_KEPT_BYTES: usize = 64 << 10;

/// How long the process waits at its end until the log is written: 2 s. A reader that still reads takes
/// milliseconds; one that has stopped may never read again.
pub(super) const LOG_END: Duration = Duration::from_secs(2);

/// The pause before writing is tried again where standard error is full and non-blocking (another process has
/// set it so): 10 ms.
pub(super) const LOG_RETRY: Duration = Duration::from_millis(10);

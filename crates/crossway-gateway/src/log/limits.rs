//! Every bound of the log, with its value and the reason for it.

use std::time::Duration;

/// How much of the log waits to be written: 1 MiB, some 8,000 lines; once more as much is being written. More is dropped and counted: who
/// does not read the log must not hold up calls.
pub(super) const LOG_BYTES: usize = 1 << 20;

/// The longest line: 64 KiB. What is longer is dropped and counted, so that it takes the place of no others. Lines of text are shorter, see
/// [`LOG_FIELDS_BYTES`]; in JSON they can't be cut.
pub(super) const LOG_LINE_BYTES: usize = 64 << 10;

/// How much of a line's fields is written as text: 16 KiB, more than anybody reads. The rest is cut.
pub(super) const LOG_FIELDS_BYTES: usize = 16 << 10;

/// How much room for lines is kept when nothing waits: 64 KiB, more than a busy moment needs.
pub(super) const LOG_KEPT_BYTES: usize = 64 << 10;

/// How long the process waits at its end until the log is written: 2 s. What reads it by then takes milliseconds; what does not may never.
pub(super) const LOG_END: Duration = Duration::from_secs(2);

/// How soon writing is tried again where standard error takes nothing and does not wait (others have set it so): 10 ms.
pub(super) const LOG_RETRY: Duration = Duration::from_millis(10);

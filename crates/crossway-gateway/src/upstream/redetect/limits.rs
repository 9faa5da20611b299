//! Every bound of probing a URL again, with the reason for it.

use std::time::Duration;

/// The pause between two probes of a URL at first: 1 s. It doubles with each probe that finds nothing new.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest of these pauses: 1 minute. A probe is two or three requests. After twice that time without a
/// probe, the next pause is the first again.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How many probes in a row that find a change may follow each other without a pause: 4. If two different
/// servers take turns at one URL, each call would find the other one.
pub(super) const NEWS: u32 = 4;

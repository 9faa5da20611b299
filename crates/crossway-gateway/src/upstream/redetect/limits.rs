//! Every bound of probing a URL again, with the reason for it.

use std::time::Duration;

/// How long it takes at least from one look to the next, at first: 1 s. It doubles with each that shows nothing new.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest of these pauses: 1 minute. A look is two or three requests. After twice as long without one, the next pause is the first.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How many times in a row something new is found before that has a pause as well: 4. Of two servers at one URL that take turns, each
/// call would find the other.
pub(super) const NEWS: u32 = 4;

//! Times that differ, so that not all do the same thing at once.

use std::time::Duration;

/// Between half and all of a time.
pub(crate) fn jittered(time: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness all come at the end of it.
    let part = getrandom::fill(&mut byte).map_or(255, |()| u32::from(byte[0]));
    time / 2 + time / 2 * part / 255
}

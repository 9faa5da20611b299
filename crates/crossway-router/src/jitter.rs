//! Randomized durations, so that not all act at once.

use std::time::Duration;

/// Between half and all of a time.
pub(crate) fn jittered(time: Duration) -> Duration {
    time / 2 + somewhere_in(time / 2)
}

/// Between nothing and all of a time.
pub(crate) fn somewhere_in(time: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without randomness all come at the end of it.
    let part = getrandom::fill(&mut bytes).map_or(u16::MAX, |()| u16::from_ne_bytes(bytes));
    time.mul_f64(f64::from(part) / f64::from(u16::MAX))
}

//! Randomized durations, so that waiters do not all act at once.

use std::time::Duration;

/// A random time between half and all of `time`: a pause after which waiters do not all act at once.
#[must_use]
pub fn jittered(time: Duration) -> Duration {
    time / 2 + somewhere_in(time / 2)
}

/// A random time between zero and `time`.
pub(crate) fn somewhere_in(time: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without randomness, all of `time`.
    let part = getrandom::fill(&mut bytes).map_or(u16::MAX, |()| u16::from_ne_bytes(bytes));
    time.mul_f64(f64::from(part) / f64::from(u16::MAX))
}

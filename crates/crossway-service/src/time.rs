//! Moments in the future.

use std::ops::Add;
use std::time::Duration;

use crate::Limits;

/// The moment `time` after `now`, but at most 30 years after it: users of a library say "without limit" with
/// [`Duration::MAX`], and adding that would panic. For any clock, such as [`std::time::Instant`] and tokio's.
#[must_use]
pub fn later<T: Add<Duration, Output = T>>(now: T, time: Duration) -> T {
    now + time.min(Limits::LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_limit_is_a_moment_that_never_comes() {
        let begin = std::time::SystemTime::UNIX_EPOCH;
        assert_eq!(later(begin, Duration::from_secs(1)), begin + Duration::from_secs(1));
        assert_eq!(later(begin, Duration::MAX), begin + Limits::LONGEST);
    }
}

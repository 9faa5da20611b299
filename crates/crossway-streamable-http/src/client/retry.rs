//! Back-off between reconnection attempts.

use std::time::Duration;

use super::limits;

/// Counts failures in a row, and computes the wait after each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retry {
    failures: u32,
}

impl Retry {
    /// The number of failures in a row.
    pub(super) fn failures(self) -> u32 {
        self.failures
    }

    /// Records a successful attempt.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Records a failed attempt, and returns how long to wait before the next one.
    ///
    /// "The client **MUST** respect the `retry` field, waiting the given number of milliseconds before attempting to
    /// reconnect." (2025-11-25, basic/transports) So what the server asks for is kept to exactly at first, within bounds; after
    /// failures, the time doubles, and varies so that clients do not come all at once.
    pub(super) fn failed(&mut self, asked: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let asked = asked.map(|asked| asked.clamp(limits::RETRY_ASKED_MIN, limits::RETRY_ASKED_MAX));
        if self.failures == 1
            && let Some(asked) = asked
        {
            return asked;
        }
        let base = asked.unwrap_or(limits::RETRY);
        let backed_off =
            base.saturating_mul(1 << (self.failures - 1).min(16)).min(limits::RETRY_MAX.max(base));
        // Up to a quarter more.
        backed_off + backed_off.mul_f64(random() / 4.0)
    }
}

/// Returns a random number from 0 to 1. Not for secrets.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(()) >> 40;
    #[expect(clippy::cast_precision_loss, reason = "24 bits are exact")]
    let fraction = bits as f64 / (1_u64 << 24) as f64;
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_asks_for_is_kept_to_within_bounds() {
        let mut retry = Retry::default();
        assert_eq!(retry.failed(Some(Duration::from_millis(500))), Duration::from_millis(500));
        retry.succeeded();
        assert_eq!(retry.failed(Some(Duration::ZERO)), limits::RETRY_ASKED_MIN);
        retry.succeeded();
        assert_eq!(retry.failed(Some(Duration::from_secs(1 << 40))), limits::RETRY_ASKED_MAX);
    }

    #[test]
    fn failures_in_a_row_wait_longer_up_to_a_bound() {
        let mut retry = Retry::default();
        let mut last = Duration::ZERO;
        for _ in 0..5 {
            let wait = retry.failed(None);
            assert!(wait > last);
            last = wait;
        }
        for _ in 0..100 {
            assert!(retry.failed(None) <= limits::RETRY_MAX.mul_f64(1.25));
        }
        assert!(retry.failed(Some(Duration::from_secs(120))) >= Duration::from_secs(120));
    }
}

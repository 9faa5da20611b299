//! Back-off between restarts of a crashed child.

use std::time::Duration;

/// Pauses that double up to a bound, each lengthened by up to a quarter so that many children do not restart at once.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// Returns the next pause; `chance` is a random number.
    pub(super) fn pause(&mut self, chance: u32) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.most);
        let quarter = pause / 4;
        (pause + quarter.mul_f64(f64::from(chance) / f64::from(u32::MAX))).min(self.most)
    }

    /// Starts over with the first pause, after a child that was useful.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Returns a random number.
pub(super) fn chance() -> u32 {
    // Without randomness, all pauses are the shortest, which does no harm.
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(pauses: impl IntoIterator<Item = Duration>) -> Vec<u128> {
        pauses.into_iter().map(|pause| pause.as_millis()).collect()
    }

    #[test]
    fn pauses_double_up_to_the_bound_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let pauses: Vec<_> = (0..11).map(|_| backoff.pause(0)).collect();
        assert_eq!(millis(pauses), [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        backoff.reset();
        assert_eq!(millis([backoff.pause(0), backoff.pause(0)]), [100, 200]);
    }

    #[test]
    fn chance_lengthens_a_pause_by_a_quarter_at_most() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(220));
        assert_eq!(millis([backoff.pause(u32::MAX), backoff.pause(u32::MAX)]), [125, 220]);
        assert!(backoff.pause(chance()) <= Duration::from_millis(220));
    }
}

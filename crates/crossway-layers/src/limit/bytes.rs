//! Quotas of bytes per time. A call's size is known only afterwards, so the bucket can go into debt, which rate
//! limiters don't support.

use std::time::{Duration, Instant};

use super::Rate;

/// A bucket that is paid back as time passes (the generic cell rate algorithm, with debt).
#[derive(Debug)]
pub(super) struct Bucket {
    /// When all that was used is paid back.
    paid: Option<Instant>,
    rate: Rate,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self { paid: None, rate }
    }

    /// How long it takes until all that was used is paid back.
    pub(super) fn debt(&self, now: Instant) -> Duration {
        self.paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now))
    }

    /// When there is room again, unless there is.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.debt(now).checked_sub(self.rate.period) {
            None => Ok(()),
            Some(over) => Err(over.max(self.rate.each())),
        }
    }

    pub(super) fn charge(&mut self, now: Instant, count: usize) {
        let from = self.paid.map_or(now, |paid| paid.max(now));
        // What is too far away to be told stays where it is.
        self.paid = from.checked_add(self.rate.time_of(count)).or(self.paid);
    }
}

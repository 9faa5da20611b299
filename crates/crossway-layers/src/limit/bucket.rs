//! Counts calls or bytes per time. A call's bytes are known only afterwards, so a bucket can go into debt, and a call that another
//! quota refuses is given back; rate limiters support neither.

use std::time::{Duration, Instant};

use super::Rate;

/// A bucket that empties as time passes (the generic cell rate algorithm, with debt).
#[derive(Debug)]
pub(super) struct Bucket {
    /// When the whole use is paid back.
    paid: Option<Instant>,
    rate: Rate,
    /// The time of a single use, and of the full amount.
    each: Duration,
    all: Duration,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        let each = rate.each();
        let all = each.as_nanos().saturating_mul(rate.amount.get().into());
        let all = Duration::from_nanos(u64::try_from(all).unwrap_or(u64::MAX));
        Self { paid: None, rate, each, all }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// The time until the whole use is paid back.
    pub(super) fn debt(&self, now: Instant) -> Duration {
        self.paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now))
    }

    /// Checks for room; the error is the time until there is some.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.debt(now).checked_sub(self.rate.period) {
            None => Ok(()),
            Some(over) => Err(over.max(self.each)),
        }
    }

    /// Checks for room for one; the error is the time until there is.
    pub(super) fn check_one(&self, now: Instant) -> Result<(), Duration> {
        match self.debt(now).saturating_add(self.each).checked_sub(self.all) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(over) => Err(over),
        }
    }

    /// Charges one.
    pub(super) fn charge_one(&mut self, now: Instant) {
        self.charge_time(now, self.each);
    }

    /// Charges `count`.
    pub(super) fn charge(&mut self, now: Instant, count: usize) {
        self.charge_time(now, self.rate.time_of(count));
    }

    fn charge_time(&mut self, now: Instant, time: Duration) {
        let from = self.paid.map_or(now, |paid| paid.max(now));
        // A time beyond the clock's range is not charged.
        self.paid = from.checked_add(time).or(self.paid);
    }

    /// Takes back a charge of one.
    pub(super) fn give_back_one(&mut self) {
        self.give_back_time(self.each);
    }

    /// Takes back a charge of `count`.
    pub(super) fn give_back(&mut self, count: usize) {
        self.give_back_time(self.rate.time_of(count));
    }

    /// Time that was paid back already gives no credit: a debt is never negative.
    fn give_back_time(&mut self, time: Duration) {
        self.paid = self.paid.and_then(|paid| paid.checked_sub(time));
    }
}

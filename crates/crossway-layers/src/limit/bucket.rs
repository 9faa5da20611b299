//! What may be used per time: calls, or bytes. A call's bytes are known only afterwards, so a bucket can go into debt, and a call that another
//! quota refuses is given back; rate limiters support neither.

use std::time::{Duration, Instant};

use super::Rate;

/// A bucket that is paid back as time passes (the generic cell rate algorithm, with debt).
#[derive(Debug)]
pub(super) struct Bucket {
    /// When all that was used is paid back.
    paid: Option<Instant>,
    rate: Rate,
    /// How long one takes, and all that may be used at once.
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

    /// How long it takes until all that was used is paid back.
    pub(super) fn debt(&self, now: Instant) -> Duration {
        self.paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now))
    }

    /// When there is room again, unless there is.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        match self.debt(now).checked_sub(self.rate.period) {
            None => Ok(()),
            Some(over) => Err(over.max(self.each)),
        }
    }

    /// When there is room for a whole one, unless there is.
    pub(super) fn check_one(&self, now: Instant) -> Result<(), Duration> {
        match self.debt(now).saturating_add(self.each).checked_sub(self.all) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(over) => Err(over),
        }
    }

    /// Uses one.
    pub(super) fn charge_one(&mut self, now: Instant) {
        self.charge_time(now, self.each);
    }

    /// Uses so much.
    pub(super) fn charge(&mut self, now: Instant, count: usize) {
        self.charge_time(now, self.rate.time_of(count));
    }

    fn charge_time(&mut self, now: Instant, time: Duration) {
        let from = self.paid.map_or(now, |paid| paid.max(now));
        // What is too far away to be told stays where it is.
        self.paid = from.checked_add(time).or(self.paid);
    }

    /// Takes back that one was used.
    pub(super) fn give_back_one(&mut self) {
        self.give_back_time(self.each);
    }

    /// Takes back that so much was used.
    pub(super) fn give_back(&mut self, count: usize) {
        self.give_back_time(self.rate.time_of(count));
    }

    /// What had been paid back meanwhile is no credit: a debt is never less than nothing.
    fn give_back_time(&mut self, time: Duration) {
        self.paid = self.paid.and_then(|paid| paid.checked_sub(time));
    }
}

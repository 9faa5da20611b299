//! A circuit breaker, as a state machine with time passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::HealthState;
use crate::limits::{BREAKER_FAILURES, BREAKER_FIRST, BREAKER_MOST};

/// When an upstream is left alone, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerOptions {
    /// After how many failures in a row; at least one.
    pub failures: u32,
    /// How long at first.
    pub first: Duration,
    /// How long at most: the time doubles with each trial that fails.
    pub most: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { failures: BREAKER_FAILURES, first: BREAKER_FIRST, most: BREAKER_MOST }
    }
}

/// What may be done with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Send it.
    Go,
    /// Send it: the upstream is tried with it.
    Trial,
    /// Don't, for so long.
    Rest(Duration),
    /// Another call tries it: what comes of that is known soon, in so long at most.
    Await(Duration),
}

/// The breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    options: Option<BreakerOptions>,
    state: State,
    /// Failures in a row, while calls pass.
    failures: u32,
    /// Trials that have failed in a row.
    trials: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Passing,
    Resting {
        until: Instant,
    },
    /// Until then nobody else tries: what is tried with may take long, or say nothing for hours.
    Trying {
        until: Instant,
    },
}

impl Breaker {
    pub(super) fn new(options: Option<BreakerOptions>) -> Self {
        Self { options, state: State::Passing, failures: 0, trials: 0 }
    }

    pub(super) fn state(&self) -> HealthState {
        match self.state {
            State::Passing => HealthState::Up,
            State::Resting { .. } => HealthState::Down,
            State::Trying { .. } => HealthState::Trying,
        }
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_clear(&self) -> bool {
        self.state == State::Passing && self.failures == 0
    }

    /// What may be done with a call, without deciding on it.
    pub(super) fn outlook(&self, now: Instant) -> Admission {
        match self.state {
            State::Passing => Admission::Go,
            State::Resting { until } | State::Trying { until } if until <= now => Admission::Trial,
            State::Resting { until } => Admission::Rest(until - now),
            State::Trying { until } => Admission::Await(until - now),
        }
    }

    /// Decides on a call.
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        let admission = self.outlook(now);
        if admission == Admission::Trial {
            // How long the trial takes is not known; what it was left alone for at first is a fair guess.
            self.state = State::Trying { until: now + self.options.unwrap_or_default().first };
        }
        admission
    }

    /// The upstream has given a sign of life.
    pub(super) fn succeeded(&mut self) {
        (self.state, self.failures, self.trials) = (State::Passing, 0, 0);
    }

    /// A call has failed. `spread` shortens a time at random, so that not all who wait come at once. Gives how long the
    /// upstream is left alone, if that is decided now.
    pub(super) fn failed(
        &mut self,
        was_trial: bool,
        now: Instant,
        spread: impl Fn(Duration) -> Duration,
    ) -> Option<Duration> {
        let options = self.options?;
        match self.state {
            State::Passing => {
                self.failures += 1;
                if self.failures < options.failures.max(1) {
                    return None;
                }
            }
            State::Trying { .. } if was_trial => self.trials += 1,
            // It was sent before; what it says is known.
            _ => return None,
        }
        let rest = options.first.saturating_mul(1 << self.trials.min(16)).min(options.most);
        let rest = spread(rest);
        self.state = State::Resting { until: now + rest };
        Some(rest)
    }

    /// A trial has ended without telling anything: the next call is one.
    pub(super) fn trial_ended(&mut self, now: Instant) {
        if matches!(self.state, State::Trying { .. }) {
            self.state = State::Resting { until: now };
        }
    }
}

//! A circuit breaker, as a state machine with time passed in.

use std::time::Duration;

use crossway_service::later;
use tokio::time::Instant;

use super::HealthState;
use crate::limits::{BREAKER_FAILURES, BREAKER_FIRST, BREAKER_MOST};

/// When calls to an upstream are suspended, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerOptions {
    /// The number of failures in a row that suspend calls; at least one.
    pub failures: u32,
    /// The first time of suspension.
    pub first: Duration,
    /// The longest time of suspension: the time doubles with each failed trial.
    pub most: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { failures: BREAKER_FAILURES, first: BREAKER_FIRST, most: BREAKER_MOST }
    }
}

/// The decision on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Send it.
    Go,
    /// Send it, as a trial of whether the upstream is back.
    Trial(TrialId),
    /// Do not send it for this long.
    Rest(Duration),
    /// Another call is the trial: its result is known in this time at most.
    Await(Duration),
}

/// One trial. If several are under way, only the newest decides, because the others were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrialId(u64);

/// The breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    options: Option<BreakerOptions>,
    state: State,
    /// Failures in a row, while calls pass.
    failures: u32,
    /// Failed trials in a row.
    trials: u32,
    /// The next trial's number.
    next_trial: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Passing,
    Resting {
        until: Instant,
    },
    /// Until then no other call is a trial: the current one may take long, or say nothing for hours.
    Trying {
        trial: TrialId,
        until: Instant,
    },
}

impl Breaker {
    pub(super) fn new(options: Option<BreakerOptions>) -> Self {
        Self { options, state: State::Passing, failures: 0, trials: 0, next_trial: 0 }
    }

    pub(super) fn state(&self) -> HealthState {
        match self.state {
            State::Passing => HealthState::Up,
            State::Resting { .. } => HealthState::Down,
            State::Trying { .. } => HealthState::Trying,
        }
    }

    /// Whether there are no failures to remember.
    pub(super) fn is_clear(&self) -> bool {
        self.state == State::Passing && self.failures == 0
    }

    /// The decision on a call, without recording it.
    pub(super) fn outlook(&self, now: Instant) -> Admission {
        match self.state {
            State::Passing => Admission::Go,
            State::Resting { until } | State::Trying { until, .. } if until <= now => {
                Admission::Trial(TrialId(self.next_trial))
            }
            State::Resting { until } => Admission::Rest(until - now),
            State::Trying { until, .. } => Admission::Await(until - now),
        }
    }

    /// Decides on a call, and records it if it is a trial.
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        let admission = self.outlook(now);
        if let Admission::Trial(trial) = admission {
            self.next_trial += 1;
            // The duration of the trial is not known; the first time of suspension is a fair guess.
            self.state = State::Trying { trial, until: later(now, self.options.unwrap_or_default().first) };
        }
        admission
    }

    /// The upstream has shown that it works.
    pub(super) fn succeeded(&mut self) {
        (self.state, self.failures, self.trials) = (State::Passing, 0, 0);
    }

    /// Records a failed call. Returns how long calls are suspended, if that is decided now. `spread` shortens that time at random, so
    /// that not all waiting calls come at once.
    pub(super) fn failed(
        &mut self,
        trial: Option<TrialId>,
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
            State::Trying { trial: newest, .. } if trial == Some(newest) => self.trials += 1,
            // The call was sent before the suspension, or before this trial; its failure tells nothing new.
            _ => return None,
        }
        let rest = options.first.saturating_mul(1 << self.trials.min(16)).min(options.most);
        let rest = spread(rest);
        self.state = State::Resting { until: later(now, rest) };
        Some(rest)
    }

    /// A trial has ended without a result: if it was the newest, the next call is a trial.
    pub(super) fn trial_ended(&mut self, trial: TrialId, now: Instant) {
        if matches!(self.state, State::Trying { trial: newest, .. } if newest == trial) {
            self.state = State::Resting { until: now };
        }
    }
}

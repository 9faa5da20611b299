//! Decides whether an upstream gets calls: the breaker, and pauses that it asked for (`Retry-After`).

use std::time::Duration;

use crossway_service::{CallError, Outcome, Reason};
use tokio::time::Instant;

use super::breaker::{Admission, Breaker, TrialId};
use super::{BreakerOptions, HealthState};

/// The known state of an upstream.
pub(super) struct Gate {
    pub(super) breaker: Breaker,
    paused_until: Option<Instant>,
    pub(super) since: Instant,
    pub(super) last_error: Option<CallError>,
}

/// Why a call may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The upstream has failed too often.
    Rest(Duration),
    /// The upstream has asked for a pause.
    Pause(Duration),
    /// Another call is a trial of whether the upstream is back.
    Trial(Duration),
}

/// What a failure shows about the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The upstream works.
    Alive,
    /// The upstream fails.
    Failing,
    /// Nothing.
    Nothing,
}

pub(super) fn verdict(error: &CallError) -> Verdict {
    match error.reason() {
        Reason::Unavailable(_) | Reason::Ended(_) | Reason::TimedOut(_) => Verdict::Failing,
        Reason::Refused { retry_after: Some(_), .. } => Verdict::Nothing,
        Reason::Refused { status: 502..=504, .. } => Verdict::Failing,
        Reason::Refused { .. } | Reason::InvalidAnswer(_) => Verdict::Alive,
        Reason::SessionEnded if error.outcome() == Outcome::Answered => Verdict::Alive,
        _ => Verdict::Nothing,
    }
}

impl Gate {
    pub(super) fn new(breaker: Option<BreakerOptions>) -> Self {
        Self { breaker: Breaker::new(breaker), paused_until: None, since: Instant::now(), last_error: None }
    }

    /// Whether calls pass and a success changes nothing.
    pub(super) fn is_clear(&self) -> bool {
        self.breaker.is_clear() && self.paused_until.is_none()
    }

    /// Whether calls pass.
    pub(super) fn is_open(&self) -> bool {
        self.breaker.state() == HealthState::Up && self.paused_until.is_none()
    }

    /// Sends the upstream no calls until `until`, as it asked.
    pub(super) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// Whether a call could be sent now, without deciding on it.
    pub(super) fn outlook(&mut self, now: Instant) -> Result<(), Wait> {
        match self.breaker.outlook(now) {
            Admission::Rest(rest) => return Err(Wait::Rest(rest)),
            Admission::Await(trial) => return Err(Wait::Trial(trial)),
            Admission::Go | Admission::Trial(_) => {}
        }
        match self.paused_until {
            Some(until) if until > now => Err(Wait::Pause(until - now)),
            Some(_) => {
                self.paused_until = None;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Decides on a call. Gives the trial that it is, if it is one.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Option<TrialId>, Wait> {
        self.outlook(now)?;
        match self.breaker.admit(now) {
            Admission::Rest(rest) => Err(Wait::Rest(rest)),
            Admission::Await(trial) => Err(Wait::Trial(trial)),
            Admission::Go => Ok(None),
            Admission::Trial(trial) => Ok(Some(trial)),
        }
    }
}

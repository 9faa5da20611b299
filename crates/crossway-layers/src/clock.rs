//! The clock that layers use.

use std::fmt;
use std::time::{Instant, SystemTime};

/// A source of time. Tests give layers one of their own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of the calendar, for records.
    fn now(&self) -> SystemTime;

    /// The time of a clock that only goes forward, for durations.
    fn instant(&self) -> Instant;
}

/// The time of the machine. Durations are measured on tokio's clock, which tests can pause.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn instant(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

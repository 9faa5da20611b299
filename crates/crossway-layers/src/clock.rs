//! The clock that layers use.

use std::fmt;
use std::time::{Instant, SystemTime};

/// Tells the time. A layer that needs it is given one; tests give their own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// What a calendar says, for records.
    fn now(&self) -> SystemTime;

    /// What only goes forward, for how long something took.
    fn instant(&self) -> Instant;
}

/// The time of the machine; how long something took is measured on tokio's clock, which tests can pause.
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

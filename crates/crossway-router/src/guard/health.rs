//! Health of a guarded upstream.

use crossway_service::CallError;
use tokio::time::Instant;

/// How an upstream is, as far as its calls tell.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// Whether it gets calls.
    pub state: HealthState,
    /// Since when.
    pub since: Instant,
    /// How the last call that failed has failed.
    pub last_error: Option<CallError>,
    /// How many calls it has now.
    pub in_flight: usize,
    /// How many wait for their turn, or to be tried again.
    pub queued: usize,
}

/// Whether an upstream gets calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// It gets calls, and nothing much speaks against it.
    Up,
    /// It is left alone for a while.
    Down,
    /// It gets one call, by which it is seen whether it is back.
    Trying,
}

//! Health of a guarded upstream.

use crossway_service::CallError;
use tokio::time::Instant;

/// The state of an upstream, as far as its calls show it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// Whether the upstream gets calls.
    pub state: HealthState,
    /// When `state` last changed.
    pub since: Instant,
    /// The error of the last failed call.
    pub last_error: Option<CallError>,
    /// The number of calls in flight.
    pub in_flight: usize,
    /// The number of calls that wait for their turn or for a retry.
    pub queued: usize,
}

/// Whether an upstream gets calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// The upstream gets calls, and too few have failed to suspend them.
    Up,
    /// The upstream gets no calls for a while.
    Down,
    /// The upstream gets one call, which shows whether it is back.
    Trying,
}

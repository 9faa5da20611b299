//! How a call waits for its turn.

use std::sync::Arc;
use std::time::Duration;

use crossway_service::{CallError, Reason};
use tokio::time::{Instant, sleep, timeout_at};

use super::gate::Wait;
use super::shared::{Flight, Place, Shared, Waiting};
use crate::limits::FULL_RETRY;

/// Why there is no turn.
pub(super) enum NoTurn {
    /// The client has cancelled the call.
    Cancelled,
    /// It was not sent.
    Failed(CallError),
}

/// Waits for a turn, after `pause`, until `until` at most.
///
/// # Cancel safety
///
/// Whoever drops it gives up its place.
pub(super) async fn turn(
    shared: Arc<Shared>,
    (waiting, _place): (Waiting, Place),
    pause: Option<Duration>,
    until: Option<Instant>,
) -> Result<Flight, NoTurn> {
    tokio::select! {
        biased;
        () = waiting.cancelled() => Err(NoTurn::Cancelled),
        flight = wait(&shared, pause, until) => flight.map_err(NoTurn::Failed),
    }
}

async fn wait(
    shared: &Arc<Shared>,
    pause: Option<Duration>,
    until: Option<Instant>,
) -> Result<Flight, CallError> {
    if let Some(pause) = pause {
        sleep(pause).await;
    }
    let deadline = shared.deadline(until);
    // Not to wait in vain.
    shared.outlook().or_else(|wait| worth(wait, deadline).map(drop))?;
    let permit = match timeout_at(deadline, Arc::clone(&shared.permits).acquire_owned()).await {
        Ok(Ok(permit)) => permit,
        Ok(Err(_)) => return Err(CallError::not_sent(Reason::Closing)),
        Err(_) => return Err(full("the MCP server has had other calls for too long")),
    };
    loop {
        match shared.admit() {
            Ok(is_trial) => return Ok(shared.fly(permit, is_trial)),
            Err(wait) => sleep(worth(wait, deadline)?).await,
        }
    }
}

/// How long to wait, if that is of use before the deadline.
pub(super) fn worth(wait: Wait, deadline: Instant) -> Result<Duration, CallError> {
    let (why, after) = match wait {
        Wait::Pause(after) if Instant::now() + after <= deadline => return Ok(after),
        Wait::Pause(after) => ("it has asked for a pause", after),
        Wait::Rest(after) => ("it has failed several times in a row, and is left alone for a while", after),
    };
    Err(CallError::not_sent(Reason::Unavailable(why.into())).with_retry_after(after))
}

/// The failure of a call for which there is no room.
pub(super) fn full(why: &'static str) -> CallError {
    CallError::not_sent(Reason::OverLimit(why.into())).with_retry_after(FULL_RETRY)
}

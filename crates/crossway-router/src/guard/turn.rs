//! Waits for a free slot at the upstream.

use std::sync::Arc;
use std::time::Duration;

use crossway_service::{CallError, Reason, later};
use tokio::time::{Instant, sleep, timeout_at};

use super::gate::Wait;
use super::group::Group;
use super::shared::{Flight, Place, Shared, Waiting};
use crate::limits::FULL_RETRY;

/// Why a call gets no turn.
pub(super) enum NoTurn {
    /// The client has cancelled the call.
    Cancelled,
    /// The call was not sent.
    Failed(CallError),
}

/// Waits for a turn, after `pause`, until `until` at most.
///
/// # Cancel safety
///
/// Dropping the future gives up its place.
pub(super) async fn turn(
    shared: Arc<Shared>,
    (waiting, place): (Waiting, Place),
    pause: Option<Duration>,
    until: Option<Instant>,
) -> Result<Flight, NoTurn> {
    tokio::select! {
        biased;
        () = waiting.cancelled() => Err(NoTurn::Cancelled),
        flight = wait(&shared, place.group(), pause, until) => flight.map_err(NoTurn::Failed),
    }
}

async fn wait(
    shared: &Arc<Shared>,
    group: Option<Arc<Group>>,
    pause: Option<Duration>,
    until: Option<Instant>,
) -> Result<Flight, CallError> {
    if let Some(pause) = pause {
        sleep(pause).await;
    }
    let deadline = shared.deadline(until);
    // Does not wait in vain.
    shared.outlook().or_else(|wait| worth(wait, deadline).map(drop))?;
    // The group's turn first: waiting for it holds up no other group.
    let of_group = match &group {
        Some(group) => Some(in_time(group.turn(), deadline).await?),
        None => None,
    };
    let of_all = async { Arc::clone(&shared.permits).acquire_owned().await.ok() };
    let turn = (in_time(of_all, deadline).await?, of_group);
    let mut changes = shared.watch();
    let mut patience: Option<Instant> = None;
    loop {
        match shared.admit() {
            Ok(trial) => return Ok(shared.fly(turn, trial)),
            Err(Wait::Trial(after)) => {
                let until = *patience.get_or_insert(later(Instant::now(), after));
                // Waits for one trial only: if it ends without news, the upstream is not back.
                if until.min(deadline) <= Instant::now() {
                    return Err(left_alone(after));
                }
                // The gate is asked again after any change.
                let _ = timeout_at(until.min(deadline), changes.changed()).await;
            }
            Err(wait) => sleep(worth(wait, deadline)?).await,
        }
    }
}

async fn in_time<T>(turn: impl Future<Output = Option<T>>, deadline: Instant) -> Result<T, CallError> {
    match timeout_at(deadline, turn).await {
        Ok(Some(turn)) => Ok(turn),
        Ok(None) => Err(CallError::not_sent(Reason::Closing)),
        Err(_) => Err(full("the MCP server has had other calls for too long")),
    }
}

/// How long to wait, if waiting can succeed before the deadline.
pub(super) fn worth(wait: Wait, deadline: Instant) -> Result<Duration, CallError> {
    match wait {
        Wait::Pause(after) if later(Instant::now(), after) <= deadline => Ok(after),
        Wait::Pause(after) => Err(not_now("it has asked for a pause", after)),
        Wait::Trial(after) => Ok(after),
        Wait::Rest(after) => Err(left_alone(after)),
    }
}

fn left_alone(after: Duration) -> CallError {
    not_now("it has failed several times in a row, and is left alone for a while", after)
}

fn not_now(why: &'static str, after: Duration) -> CallError {
    CallError::not_sent(Reason::Unavailable(why.into())).with_retry_after(after)
}

/// The error of a call for which there is no room.
pub(super) fn full(why: &'static str) -> CallError {
    CallError::not_sent(Reason::OverLimit(why.into())).with_retry_after(FULL_RETRY)
}

//! Every bound of the demo server, with its reason.

use std::time::Duration;

/// Sessions and listen streams that are told of changes, together. One more is refused: each costs a table entry and, on a change, a
/// message. Well above the 10,000 sessions that the transports are measured with.
pub(crate) const LISTENERS: usize = 16_384;

/// Resources that one legacy session may watch. There is one that changes; the rest is room for trying.
pub(crate) const WATCHED_PER_SESSION: usize = 64;

/// How long one listener may take to accept a notification of a change, so that a stalled one does not hold up the others.
pub(crate) const TELLING: Duration = Duration::from_secs(1);

/// How long a change waits for a listen stream that is acknowledged and not yet in the table. That takes a task switch; a stream whose
/// acknowledgment could not be sent never gets there.
pub(crate) const ENTERING: Duration = Duration::from_secs(1);

/// How long a legacy client may take to answer a question. People think, and go for lunch, but a call does not wait for ever.
pub(crate) const ANSWERING: Duration = Duration::from_secs(600);

/// How long a sealed `requestState` is good for: as long as a legacy client would have had to answer.
pub(crate) const STATE_LIFE: Duration = ANSWERING;

/// How long clients may keep lists and static resources. They never change while the server runs.
pub(crate) const FRESH: Duration = Duration::from_secs(60);

/// Pause between two notifications of the tools that report progress or log, so that they don't arrive as one.
pub(crate) const PACE: Duration = Duration::from_millis(50);

/// How long `test_reconnection` works on after it closed its stream: time for the client to come back before the answer is there.
pub(crate) const AWAY: Duration = Duration::from_millis(100);

/// Steps of `slow`, unless the caller says otherwise.
pub(crate) const SLOW_STEPS: u64 = 5;

/// Most steps of `slow`.
pub(crate) const SLOW_STEPS_MAX: u64 = 1_000;

/// Milliseconds per step of `slow`, unless the caller says otherwise.
pub(crate) const SLOW_MS: u64 = 200;

/// Most milliseconds per step of `slow`.
pub(crate) const SLOW_MS_MAX: u64 = 60_000;

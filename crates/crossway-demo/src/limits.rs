//! Every bound of the demo server, with its reason.

use std::time::Duration;

/// The most sessions and listen streams together that are told of changes. Further ones are refused: each
/// costs a table entry and, on each change, a message. This is well above the 10,000 sessions that the
/// transports are measured with.
pub(crate) const LISTENERS: usize = 16_384;

/// The most resources that one legacy session may subscribe to. Only one resource ever changes; the rest is
/// room for experiments.
pub(crate) const WATCHED_PER_SESSION: usize = 64;

/// How long one listener may take to accept a notification of a change, so that a stalled one does not hold up the others.
pub(crate) const TELLING: Duration = Duration::from_secs(1);

/// How long a change waits for a listen stream that is acknowledged but not yet in the table. Entering it
/// takes a task switch; a stream whose acknowledgment could not be sent never enters.
pub(crate) const ENTERING: Duration = Duration::from_secs(1);

/// How long a legacy client may take to answer a question. People think, and go for lunch, but a call does
/// not wait for ever.
pub(crate) const ANSWERING: Duration = Duration::from_secs(600);

/// How long a sealed `requestState` is valid: as long as a legacy client has to answer.
pub(crate) const STATE_LIFE: Duration = ANSWERING;

/// How long clients may cache lists and static resources. They never change while the server runs.
pub(crate) const FRESH: Duration = Duration::from_secs(60);

/// The pause between two notifications of the tools that report progress or write to the log, so that they
/// arrive separately.
pub(crate) const PACE: Duration = Duration::from_millis(50);

/// How long `test_reconnection` goes on after it closed its stream: time for the client to come back before
/// the answer is there.
pub(crate) const AWAY: Duration = Duration::from_millis(100);

/// The steps of `slow`, unless the caller sets them.
pub(crate) const SLOW_STEPS: u64 = 5;

/// The most steps of `slow`.
pub(crate) const SLOW_STEPS_MAX: u64 = 1_000;

/// The milliseconds per step of `slow`, unless the caller sets them.
pub(crate) const SLOW_MS: u64 = 200;

/// The most milliseconds per step of `slow`.
pub(crate) const SLOW_MS_MAX: u64 = 60_000;

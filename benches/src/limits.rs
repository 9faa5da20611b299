//! Every bound of the tools, with its reason.

use std::time::Duration;

/// The longest message that is read, in bytes: twice what the bars ask for.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// How many answers may wait on one HTTP+SSE stream before the POSTs that make more have to wait.
pub(crate) const MAX_QUEUED_EVENTS: usize = 1024;

/// The most progress notifications that one call may ask the echo server for.
pub(crate) const MAX_PROGRESS_STEPS: u64 = 100_000;

/// How long a started program gets to say where it listens. A debug build on a busy machine needs seconds.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(20);

/// The same for programs that are not ours: interpreters that load hundreds of modules.
pub(crate) const SLOW_READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an answer may take in a comparison before it counts as lost. Bridges that start an interpreter for each
/// session need seconds for the first one.
pub(crate) const COMPARE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a program that was asked to end gets before it is killed.
pub(crate) const END_TIMEOUT: Duration = Duration::from_secs(15);

/// How many sessions are set up at the same time before a run: enough to be quick, few enough that
/// a server with a process per session is not stormed.
pub(crate) const SETUP_CONCURRENCY: usize = 32;

/// Text from this length on is sent as a slice of its own instead of being copied into the message.
pub(crate) const SPLICE_FROM: usize = 8 * 1024;

/// How many different failures a report quotes.
pub(crate) const MAX_QUOTED_FAILURES: usize = 5;

/// How many lines of a program's stderr are kept, to be quoted when it does not start.
pub(crate) const KEPT_STDERR_LINES: usize = 20;

/// Descriptors that a process needs besides its sockets: standard streams, epoll, pipes, a log.
pub(crate) const SPARE_DESCRIPTORS: u64 = 128;

/// After so many calls in a row without a right answer a slot gives up: the server is not there.
pub(crate) const MAX_FAULTS_IN_A_ROW: u32 = 20;

/// How long a slot rests after a fault, so that a dead server is not stormed.
pub(crate) const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(5);

/// How often the progress bar is drawn.
pub(crate) const PROGRESS_TICK: Duration = Duration::from_millis(100);

/// The most of a refusal's body that is read, to be quoted.
pub(crate) const MAX_REFUSAL: usize = 64 * 1024;

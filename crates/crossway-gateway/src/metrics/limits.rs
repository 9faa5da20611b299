//! Every bound of metrics, with its default and the reason for it.

use std::time::Duration;

/// The most series of one metric: 16,384, enough for 50 tenants with 300 upstreams each. Beyond that, names
/// from the configuration count as `other`, so that a scrape stays within some megabytes.
pub const SERIES: usize = 16_384;

/// The smallest piece of a response that is counted until its client has read it: 16 KiB. Counting costs an
/// allocation, and clients that don't read hold large pieces.
pub const UNSENT_PIECE: usize = 16 << 10;

/// The upper bounds of the buckets for durations, in seconds: from what a server on the same machine takes to
/// the longest that clients wait.
pub const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// How long failures of one tenant's calls to one upstream for the same reason are not logged again: a
/// minute.
pub const FAILURE_TOLD: Duration = Duration::from_secs(60);

//! Every bound of metrics, with its default and the reason for it.

use std::time::Duration;

/// The most series of one metric: 16,384, which is 50 tenants with 300 upstreams each. Names that the configuration
/// gives come in under `other` beyond that, so that a scrape stays within some megabytes.
pub const SERIES: usize = 16_384;

/// How large a piece of a response is that is counted until its client has taken it: 16 KiB or more. Counting costs an allocation, and
/// clients that don't read hold large ones.
pub const UNSENT_PIECE: usize = 16 << 10;

/// The upper bounds of durations' buckets, in seconds: from what a server in the same machine takes to what a client
/// waits at the most.
pub const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// How long it is not said again in the log that calls of one tenant to one upstream fail for one cause: a minute.
pub const FAILURE_TOLD: Duration = Duration::from_secs(60);

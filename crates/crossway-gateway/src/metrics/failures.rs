//! Logs failed calls whose reason callers are not told.

use std::sync::Arc;

use crossway_service::{CallError, Reason};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::limits::FAILURE_TOLD;

/// The number of causes that are told apart.
const CAUSES: usize = 7;

/// Logs failures of one tenant's calls to one upstream: each cause once within [`FAILURE_TOLD`].
pub(super) struct FailureLog {
    tenant: Arc<str>,
    upstream: Arc<str>,
    told: Mutex<[Option<Instant>; CAUSES]>,
}

impl FailureLog {
    pub(super) fn new(tenant: Arc<str>, upstream: Arc<str>) -> Self {
        Self { tenant, upstream, told: Mutex::default() }
    }

    /// A call has failed.
    pub(super) fn failed(&self, error: &CallError) {
        let Some(cause) = cause(error.reason()) else { return };
        let now = Instant::now();
        {
            let mut told = self.told.lock();
            if told[cause].is_some_and(|at| now.saturating_duration_since(at) < FAILURE_TOLD) {
                return;
            }
            told[cause] = Some(now);
        }
        tracing::warn!(upstream = &*self.upstream, tenant = &*self.tenant, %error, "a call has failed");
    }
}

/// The number of a cause that operators have to see: text that callers don't get, or credentials that the server refuses.
fn cause(reason: &Reason) -> Option<usize> {
    let (cause, why) = match reason {
        Reason::Refused { status: 401, .. } => return Some(0),
        Reason::Refused { status: 403, .. } => return Some(1),
        Reason::Unavailable(why) => (2, why),
        Reason::Ended(why) => (3, why),
        Reason::InvalidAnswer(why) => (4, why),
        Reason::OverLimit(why) => (5, why),
        Reason::OverQuota(why) => (6, why),
        _ => return None,
    };
    (!why.is_public()).then_some(cause)
}

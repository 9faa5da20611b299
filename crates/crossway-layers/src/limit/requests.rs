//! Quotas of requests of all kinds.

use std::fmt;
use std::sync::Arc;

use crossway_service::{CallError, RequestLimiter};
use smallvec::SmallVec;

use super::table::{Counts, Table};
use super::{LimitOptions, OverQuota, QuotaList};

/// Counts requests of all kinds; transports ask it before they handle a request. Clones count together.
///
/// This is no layer: cached lists, new sessions and streams reach no layer, and most of their cost comes before.
#[derive(Clone)]
pub struct RequestCounts(Arc<Table>);

impl RequestCounts {
    /// Creates it without counts. Only `keys` and `clock` of the options are used: no request waits.
    #[must_use]
    pub fn new(options: LimitOptions) -> Self {
        Self(Arc::new(Table::new(options.clock, options.keys)))
    }

    /// Returns a caller's limiter: it allows what [`Quota::calls`](super::Quota::calls) allows per time. A request refused by one quota
    /// uses up nothing of the others. Limiters with the same keys count together. `refused` is called for each request that is
    /// refused.
    pub fn bound(
        &self,
        quotas: QuotaList,
        refused: impl Fn(OverQuota) + Send + Sync + 'static,
    ) -> RequestLimiter {
        let table = Arc::clone(&self.0);
        // If there is no room for its counts now, there may be later.
        match Counted::new(&table, &quotas) {
            Ok(counted) => RequestLimiter::new(move || reporting_refusals(counted.admit(), &refused)),
            Err(_) => RequestLimiter::new(move || {
                reporting_refusals(
                    Counted::new(&table, &quotas).and_then(|counted| counted.admit()),
                    &refused,
                )
            }),
        }
    }
}

/// The counts of a caller's requests.
struct Counted(SmallVec<[Arc<Counts>; 2]>);

impl Counted {
    fn new(table: &Table, quotas: &QuotaList) -> Result<Self, OverQuota> {
        if quotas.iter().any(|quota| quota.is_closed) {
            return Err(OverQuota::Closed);
        }
        let now = table.now();
        quotas.iter().map(|quota| table.counts(quota, now)).collect::<Result<_, _>>().map(Self)
    }

    fn admit(&self) -> Result<(), OverQuota> {
        let Some(now) = self.0.first().map(|counts| counts.now()) else { return Ok(()) };
        Counts::take(&self.0, now).map_err(|over| OverQuota::Requests { retry_after: over.retry_after() })
    }
}

fn reporting_refusals(admitted: Result<(), OverQuota>, refused: impl Fn(OverQuota)) -> Result<(), CallError> {
    admitted.map_err(|over| {
        refused(over);
        CallError::from(over)
    })
}

impl fmt::Debug for RequestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestCounts").field(&self.0).finish()
    }
}

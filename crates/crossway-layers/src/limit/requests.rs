//! Quotas of requests of all kinds.

use std::fmt;
use std::sync::Arc;

use crossway_service::{CallError, RequestLimiter};
use smallvec::SmallVec;

use super::table::{Counts, Table};
use super::{LimitOptions, OverQuota, QuotaList};

/// The counts of requests, which a transport asks for before anything is done for one. Clones count together.
///
/// They are in no layer: a list that is kept, a session that is opened and a stream come to none, and most of what they cost is before.
#[derive(Clone)]
pub struct RequestCounts(Arc<Table>);

impl RequestCounts {
    /// Without a request yet. Of the options `keys` and `clock` are for this: no request waits.
    #[must_use]
    pub fn new(options: LimitOptions) -> Self {
        Self(Arc::new(Table::new(options.clock, options.keys)))
    }

    /// The bound of one who makes requests: what [`Quota::calls`](super::Quota::calls) allows per time. What one of them refuses uses
    /// up nothing of the others. Who asks again with the same keys counts together with those from before.
    /// `refused` is told of each request that is too much.
    pub fn bound(
        &self,
        quotas: QuotaList,
        refused: impl Fn(OverQuota) + Send + Sync + 'static,
    ) -> RequestLimiter {
        let table = Arc::clone(&self.0);
        // Where there is no room for its counts at this time, there may be later.
        match Counted::new(&table, &quotas) {
            Ok(counted) => RequestLimiter::new(move || told(counted.admit(), &refused)),
            Err(_) => RequestLimiter::new(move || {
                told(Counted::new(&table, &quotas).and_then(|counted| counted.admit()), &refused)
            }),
        }
    }
}

/// What a request of somebody's counts for.
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

fn told(admitted: Result<(), OverQuota>, refused: impl Fn(OverQuota)) -> Result<(), CallError> {
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

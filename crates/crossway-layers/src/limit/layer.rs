//! The quota layer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossway_service::{Call, CallError, Reply, later};
use smallvec::SmallVec;
use tokio::time::{Instant, timeout_at};
use tower_layer::Layer;

use super::gate::{Admission, Turn};
use super::reply::Limited;
use super::table::{Counts, Table};
use super::{OverQuota, QuotaKey, Quotas};
use crate::limits::{LIMIT_KEYS, LIMIT_WAIT};
use crate::stage::{self, Entry, Stage, Staged};
use crate::{Clock, SystemClock};

/// Enforces quotas on calls; see the [module](super). Clones, and all services they wrap, count together.
#[derive(Clone)]
pub struct LimitLayer(Arc<Shared>);

struct Shared {
    quotas: Box<dyn Quotas>,
    table: Table,
    wait: Duration,
}

/// Options of a limit layer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LimitOptions {
    /// The most keys whose counts are kept.
    pub keys: usize,
    /// The longest that a call waits for its turn.
    pub wait: Duration,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self { keys: LIMIT_KEYS, wait: LIMIT_WAIT, clock: Arc::new(SystemClock) }
    }
}

impl LimitOptions {
    /// Sets the most keys whose counts are kept.
    #[must_use]
    pub fn keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// Sets the longest that a call waits for its turn.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets the source of time.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl LimitLayer {
    /// Enforces the quotas that `quotas` returns for a call.
    pub fn new(quotas: impl Quotas, options: LimitOptions) -> Self {
        let table = Table::new(options.clock, options.keys);
        Self(Arc::new(Shared { quotas: Box::new(quotas), table, wait: options.wait }))
    }

    /// The number of keys whose counts are kept now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.0.table.len()
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = Staged<Self, S>;

    fn layer(&self, inner: S) -> Staged<Self, S> {
        Staged::new(self.clone(), inner)
    }
}

/// The turns and meters that a call holds until its reply has ended.
#[derive(Default)]
pub(crate) struct Pass {
    pub(super) turns: SmallVec<[Turn; 3]>,
    /// The quotas that count bytes.
    pub(super) meters: SmallVec<[Arc<Counts>; 2]>,
}

/// A gate that a call has to pass.
type Barrier = (Arc<Counts>, Option<QuotaKey>);

impl Stage for LimitLayer {
    type Pass = Pass;

    fn enter(&self, call: &mut Call) -> Entry<Pass> {
        match self.admit(call) {
            Ok(entry) => entry,
            Err(error) => {
                self.0.quotas.refused(&call.context, error);
                Entry::Answer(Reply::failed(CallError::from(error)))
            }
        }
    }

    fn leave(pass: Pass, reply: Reply) -> Reply {
        if pass.turns.is_empty() && pass.meters.is_empty() {
            return reply;
        }
        Reply::stream(Limited::new(reply, pass))
    }
}

impl LimitLayer {
    fn admit(&self, call: &Call) -> Result<Entry<Pass>, OverQuota> {
        let Some(request) = call.request() else { return Ok(Entry::Pass(Pass::default())) };
        let (quotas, now) = (self.0.quotas.quotas(call), self.0.table.now());
        if quotas.iter().any(|quota| quota.is_closed) {
            return Err(OverQuota::Closed);
        }
        let counted = quotas.iter().map(|quota| self.0.table.counts(quota, now));
        let counted = counted.collect::<Result<SmallVec<[_; 4]>, _>>()?;
        Counts::take(&counted, now)?;
        let bytes = request.len();
        let mut pass = Pass::default();
        pass.meters.extend(counted.iter().filter(|counts| counts.has_bytes()).map(Arc::clone));
        pass.meters.iter().for_each(|counts| counts.count_bytes(bytes, now));
        let at_once = quotas.iter().zip(&counted).filter(|_| !stage::is_standing(request));
        let barriers: SmallVec<[Barrier; 3]> = at_once
            .filter_map(|(quota, counts)| Some((Arc::clone(counts), quota.at_once.as_ref()?.of.clone())))
            .collect();
        let mut barriers = barriers.into_iter();
        while let Some((counts, user)) = barriers.next() {
            match counts.gate.enter(user.as_ref()) {
                Ok(Admission::Now(turn)) => pass.turns.push(turn),
                Ok(Admission::Later(waiting)) => {
                    let until = later(Instant::now(), self.0.wait);
                    let (shared, context) = (Arc::clone(&self.0), call.context.clone());
                    let kept = shared.quotas.waits(&context, bytes);
                    return Ok(Entry::Wait(Box::pin(async move {
                        let turns = async {
                            pass.turns.push(waiting.turn().await?);
                            for (counts, user) in barriers {
                                pass.turns.push(match counts.gate.enter(user.as_ref())? {
                                    Admission::Now(turn) => turn,
                                    Admission::Later(waiting) => waiting.turn().await?,
                                });
                            }
                            Ok(pass)
                        };
                        let turns = timeout_at(until, turns).await.unwrap_or(Err(OverQuota::Waited));
                        drop(kept);
                        turns.map_err(|error| {
                            Counts::give_back(&counted, bytes);
                            shared.quotas.refused(&context, error);
                            Reply::failed(CallError::from(error))
                        })
                    })));
                }
                Err(over) => {
                    Counts::give_back(&counted, bytes);
                    return Err(over);
                }
            }
        }
        Ok(Entry::Pass(pass))
    }
}

impl fmt::Debug for LimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LimitLayer").field(&self.0.table).finish()
    }
}

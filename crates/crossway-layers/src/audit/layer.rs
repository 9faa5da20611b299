//! The audit layer.

use crossway_service::{Call, CallError, Reply};
use tower_layer::Layer;

use super::record::Record;
use super::reply::Audited;
use super::{AuditLog, NotRecorded, Overflow};
use crate::stage::{Entry, Stage, Staged};

/// Records each request in a log; see the [module](super).
#[derive(Debug, Clone)]
pub struct AuditLayer {
    log: AuditLog,
}

impl AuditLayer {
    /// Records in `log`.
    #[must_use]
    pub fn new(log: AuditLog) -> Self {
        Self { log }
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = Staged<Self, S>;

    fn layer(&self, inner: S) -> Staged<Self, S> {
        Staged::new(self.clone(), inner)
    }
}

impl Stage for AuditLayer {
    /// `None` for what is no request.
    type Pass = Option<Record>;

    fn enter(&self, call: &mut Call) -> Entry<Option<Record>> {
        let Some(request) = call.request() else { return Entry::Pass(None) };
        let record = Record::new(&self.log, request, call);
        call.context.extensions.insert(record.note().clone());
        match self.log.place_now(record.tenant()) {
            Ok(place) => Entry::Pass(Some(record.placed(place))),
            Err(NotRecorded::Full) if self.log.options().overflow == Overflow::Wait => {
                let log = self.log.clone();
                Entry::Wait(Box::pin(async move {
                    let place =
                        log.place(record.tenant()).await.map_err(|error| Reply::failed(error.into()))?;
                    Ok(Some(record.placed(place)))
                }))
            }
            Err(error) => refused(self.log.refuse(error)),
        }
    }

    fn leave(record: Option<Record>, reply: Reply) -> Reply {
        match record {
            Some(record) => Reply::stream(Audited::new(reply, record)),
            None => reply,
        }
    }
}

fn refused<P>(error: NotRecorded) -> Entry<P> {
    Entry::Answer(Reply::failed(CallError::from(error)))
}

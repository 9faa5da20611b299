//! Leases: an instance in use by a call.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{self, Poll};

use crossway_era::to_legacy::MAY_ASK;
use crossway_proto::Message;
use crossway_service::{Call, CallError, Extensions, Reply};
use futures_core::Stream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Instance, lock};

/// When a call of an instance ended last, or it was made.
pub(super) struct Used {
    pub(super) at_all: Instant,
    /// The same of calls that don't stand.
    pub(super) by_call: Instant,
}

/// An instance is in use until now.
fn note_use(instance: &Instance, is_standing: bool) {
    let mut used = lock(&instance.used);
    used.at_all = Instant::now();
    if !is_standing {
        used.by_call = used.at_all;
    }
}

/// An instance for the time of a call.
pub(super) struct Lease {
    instance: Arc<Instance>,
    is_standing: bool,
    /// Hears when what stands is to end, from when on it stands.
    ends: Option<watch::Receiver<()>>,
}

impl Lease {
    /// Takes an instance, under the lock of all if it is among them.
    pub(super) fn new(instance: &Arc<Instance>, is_standing: bool) -> Self {
        instance.calls.fetch_add(1, Ordering::AcqRel);
        if is_standing {
            instance.standing.fetch_add(1, Ordering::AcqRel);
        }
        let ends = is_standing.then(|| instance.ends.subscribe());
        Self { instance: Arc::clone(instance), is_standing, ends }
    }

    /// Resolves when what stands is to end; given once, to that.
    pub(super) fn over(&mut self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let mut ends = self.ends.take()?;
        Some(async move { _ = ends.changed().await })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let instance = &self.instance;
        note_use(instance, self.is_standing);
        if self.is_standing {
            instance.standing.fetch_sub(1, Ordering::AcqRel);
        }
        instance.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What is kept with a call that may wait for its client: as long as anybody has it, the instance is in use. It does not keep the instance
/// from ending, in which such a call is.
struct Kept(Weak<Instance>);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(instance) = self.0.upgrade() {
            note_use(&instance, false);
            instance.kept.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The reply to a call of an instance.
pub(super) struct Leased {
    reply: Reply,
    /// What came with a call that may wait for its client.
    kept: Option<Extensions>,
    lease: Lease,
}

impl Leased {
    /// Makes a call of the instance.
    pub(super) fn new(lease: Lease, mut call: Call) -> Self {
        let may_wait =
            call.request().is_some_and(|request| MAY_ASK.iter().any(|method| request.is_method(method)));
        let kept = may_wait.then(|| {
            let instance = &lease.instance;
            instance.replied.fetch_add(1, Ordering::AcqRel);
            instance.kept.fetch_add(1, Ordering::AcqRel);
            call.context.extensions.insert(Kept(Arc::downgrade(instance)));
            call.context.extensions.clone()
        });
        Self { reply: lease.instance.link.call(call), kept, lease }
    }
}

impl Stream for Leased {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.reply).poll_next(cx)
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if self.kept.is_some() {
            self.lease.instance.replied.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

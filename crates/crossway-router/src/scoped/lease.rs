//! Leases: an instance in use by a call.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{self, Poll};

use crossway_era::to_legacy::may_ask;
use crossway_proto::Message;
use crossway_service::{Call, CallError, Extensions, Reply};
use futures_core::Stream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Instance;

/// When an instance's last call ended, or the instance was created.
pub(super) struct Used {
    pub(super) at_all: Instant,
    /// The same for calls other than standing streams.
    pub(super) by_call: Instant,
}

/// Records that the instance is in use until now.
fn note_use(instance: &Instance, is_standing: bool) {
    let mut used = instance.used.lock();
    used.at_all = Instant::now();
    if !is_standing {
        used.by_call = used.at_all;
    }
}

/// An instance leased for the duration of a call.
pub(super) struct Lease {
    instance: Arc<Instance>,
    is_standing: bool,
    /// Signals when a standing stream is to end, from the start of the lease.
    ends: Option<watch::Receiver<()>>,
}

impl Lease {
    /// Leases an instance. The caller holds the lock of the instances if it is still among them.
    pub(super) fn new(instance: &Arc<Instance>, is_standing: bool) -> Self {
        instance.calls.fetch_add(1, Ordering::AcqRel);
        if is_standing {
            instance.standing.fetch_add(1, Ordering::AcqRel);
        }
        let ends = is_standing.then(|| instance.ends.subscribe());
        Self { instance: Arc::clone(instance), is_standing, ends }
    }

    /// Returns a future that resolves when the standing stream is to end; only the first call returns one.
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

/// Marks a call that may wait for its client: while anybody holds this, the instance is in use. Weak, so that it does not keep alive the
/// instance that such a call is in.
struct Kept(Weak<Instance>);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(instance) = self.0.upgrade() {
            // A call that has not ended notes its own end. Standing streams don't count as calls there.
            if instance.calls.load(Ordering::Acquire) == instance.standing.load(Ordering::Acquire) {
                note_use(&instance, false);
            }
            instance.kept.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The reply to a call on an instance.
pub(super) struct Leased {
    reply: Reply,
    /// The extensions of a call that may wait for its client.
    kept: Option<Extensions>,
    lease: Lease,
}

impl Leased {
    /// Sends a call to the instance.
    pub(super) fn new(lease: Lease, mut call: Call) -> Self {
        let may_wait = call.request().is_some_and(may_ask);
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

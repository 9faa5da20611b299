//! The `Mux`'s outlet to a child.

use crossway_proto::Message;
use crossway_service::{Closing, Context, Outlet, Reason};
use tokio::sync::watch;

use super::outbox::{Haste, Outbox};

/// The outlet to a child.
pub(super) struct ChildOutlet {
    pub(super) outbox: Outbox,
    stop: watch::Sender<bool>,
    /// Closed when the child and its descendants are gone: the sender is dropped then.
    gone: watch::Receiver<()>,
}

impl ChildOutlet {
    pub(super) fn new(outbox: Outbox, gone: watch::Receiver<()>) -> Self {
        Self { outbox, stop: watch::Sender::new(false), gone }
    }

    /// A receiver that turns `true` when the child is to end.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }
}

impl Outlet for ChildOutlet {
    fn send(&self, message: Message) -> Result<(), Reason> {
        self.outbox.send(&message, Haste::Now)
    }

    fn send_request_among_others(&self, message: Message, _: Context) -> Result<(), Reason> {
        self.outbox.send(&message, Haste::WithOthers)
    }

    fn hang_up(&self) {
        self.stop.send_replace(true);
    }

    fn close(&self) -> Closing {
        self.hang_up();
        let mut gone = self.gone.clone();
        Box::pin(async move { while gone.changed().await.is_ok() {} })
    }
}

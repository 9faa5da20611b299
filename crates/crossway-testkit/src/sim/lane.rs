//! One direction of a simulated link.

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::Weather;

/// How many messages may be on their way in one lane.
const CAPACITY: usize = 65_536;

/// What ends a link with all that is on its way. Clones end the same link.
#[derive(Debug, Clone)]
pub(super) struct Cut(watch::Sender<bool>);

impl Cut {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(super) fn cut(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn is_cut(&self) -> bool {
        *self.0.borrow()
    }

    /// Ready when the link has been cut.
    pub(super) async fn happened(&self) {
        // This is a sender, so there is one.
        let _ = self.0.subscribe().wait_for(|is_cut| *is_cut).await;
    }
}

/// The beginning of a lane.
#[derive(Debug)]
pub(super) struct Lane<T>(mpsc::Sender<T>);

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + 'static> Lane<T> {
    /// A lane, and where it ends. What is on its way is lost when it is cut, and arrives when its beginning is dropped.
    ///
    /// `may_come_twice` says which of the things may.
    pub(super) fn new(
        weather: &Weather,
        cut: &Cut,
        may_come_twice: fn(&T) -> bool,
    ) -> (Self, mpsc::Receiver<T>) {
        let (sender, mut begun) = mpsc::channel::<T>(CAPACITY);
        let (arrived, receiver) = mpsc::channel(CAPACITY);
        let (weather, cut) = (weather.clone(), cut.clone());
        tokio::spawn(async move {
            let carry = async {
                while let Some(thing) = begun.recv().await {
                    sleep(weather.delay()).await;
                    if may_come_twice(&thing) && weather.comes_twice() {
                        let _ = arrived.try_send(thing.clone());
                    }
                    if arrived.try_send(thing).is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                biased;
                () = cut.happened() => {}
                () = carry => {}
            }
        });
        (Self(sender), receiver)
    }

    /// Sends something. False if the lane has ended.
    pub(super) fn send(&self, thing: T) -> bool {
        self.0.try_send(thing).is_ok()
    }

    /// Ready when nobody waits for what comes any more, or the lane has been cut.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}

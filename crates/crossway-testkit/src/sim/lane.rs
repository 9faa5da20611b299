//! One direction of a simulated link.

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::Weather;

/// The most messages on their way in one lane.
const CAPACITY: usize = 65_536;

/// Ends a link, and loses everything on its way. Clones end the same link.
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

    /// Waits until the link is cut.
    pub(super) async fn happened(&self) {
        // This sender is alive, so waiting can't fail.
        let _ = self.0.subscribe().wait_for(|is_cut| *is_cut).await;
    }
}

/// The sending end of a lane.
#[derive(Debug)]
pub(super) struct Lane<T>(mpsc::Sender<T>);

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + 'static> Lane<T> {
    /// Makes a lane. Items on their way are lost when `cut` is, and still arrive when the sending end is dropped.
    ///
    /// `may_come_twice` tells which items may be duplicated.
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

    /// Sends an item. Returns false if the lane has ended.
    pub(super) fn send(&self, thing: T) -> bool {
        self.0.try_send(thing).is_ok()
    }

    /// Waits until the receiver is dropped or the lane is cut.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}

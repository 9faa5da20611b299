//! Timing of keep-alive comments on silent streams.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Signals when nothing has been sent for a period.
pub(crate) struct KeepAlive {
    period: Duration,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl KeepAlive {
    pub(crate) fn new(period: Duration) -> Self {
        let last = Instant::now();
        Self { period, last, timer: Box::pin(sleep_until(last + period)) }
    }

    /// Records that something is sent. The timer is left alone: it checks when it fires.
    pub(crate) fn sent(&mut self) {
        self.last = Instant::now();
    }

    /// Ready when a period has passed since the last sent data.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let due = self.last + self.period;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }
}

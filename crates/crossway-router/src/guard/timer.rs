//! A timer for a call's idle time and total time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::questions::{Asked, Awaits};

/// Tells when a call has been silent, or has gone on, for too long. Nothing is set before the call is waited for.
#[pin_project]
pub(super) struct Timer {
    idle: Option<Duration>,
    /// When it has to be over, and how long that was from its beginning.
    until: Option<(Instant, Duration)>,
    #[pin]
    sleep: Option<Sleep>,
}

impl Timer {
    pub(super) fn new(idle: Option<Duration>, until: Option<(Instant, Duration)>) -> Self {
        Self { idle, until, sleep: None }
    }

    /// A sign of life.
    pub(super) fn heard(self: Pin<&mut Self>) {
        let next = self.next();
        let this = self.project();
        if let (Some(sleep), Some(next), Some(_)) = (this.sleep.as_pin_mut(), next, &this.idle) {
            sleep.reset(next);
        }
    }

    /// The call is made anew.
    pub(super) fn restart(self: Pin<&mut Self>) {
        self.project().sleep.set(None);
    }

    /// Ready when it is too long, with how long it may be. While the server waits for an answer of the client's, it is not silent.
    pub(super) fn poll_over(mut self: Pin<&mut Self>, cx: &mut Context<'_>, asked: &Asked) -> Poll<Duration> {
        if self.sleep.is_none() {
            let Some(next) = self.next() else { return Poll::Pending };
            self.as_mut().project().sleep.set(Some(sleep_until(next)));
        }
        let this = self.project();
        let Some(mut sleep) = this.sleep.as_pin_mut() else { return Poll::Pending };
        loop {
            ready!(sleep.as_mut().poll(cx));
            let now = Instant::now();
            if let Some((_, total)) = this.until.filter(|(until, _)| *until <= now) {
                return Poll::Ready(total);
            }
            let idle = this.idle.unwrap_or_default();
            let next = match asked.awaits() {
                // Looked at again as often as that, its answer is found in time to count from it.
                Awaits::Client(until) => until.min(now + idle),
                Awaits::Nobody(since) => match since.map(|since| since + idle) {
                    Some(next) if next > now => next,
                    _ => return Poll::Ready(idle),
                },
            };
            sleep.as_mut().reset(this.until.map_or(next, |(until, _)| until.min(next)));
        }
    }

    fn next(&self) -> Option<Instant> {
        let idle = self.idle.map(|idle| Instant::now() + idle);
        let until = self.until.map(|(until, _)| until);
        idle.into_iter().chain(until).min()
    }
}

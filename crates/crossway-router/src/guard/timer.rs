//! A timer for a call's idle time and total time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crossway_service::later;
use pin_project::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::questions::{Asked, Awaits};

/// Ends a call that is silent, or takes, for too long. No timer is set before the call is first polled.
#[pin_project]
pub(super) struct Timer {
    idle: Option<Duration>,
    /// When the call has to be over, and how long that was from its start.
    until: Option<(Instant, Duration)>,
    #[pin]
    sleep: Option<Sleep>,
}

impl Timer {
    pub(super) fn new(idle: Option<Duration>, until: Option<(Instant, Duration)>) -> Self {
        Self { idle, until, sleep: None }
    }

    /// Restarts the idle time after a sign of life.
    pub(super) fn heard(self: Pin<&mut Self>) {
        let next = self.next();
        let this = self.project();
        if let (Some(sleep), Some(next), Some(_)) = (this.sleep.as_pin_mut(), next, &this.idle) {
            sleep.reset(next);
        }
    }

    /// Resets the timer for a new attempt.
    pub(super) fn restart(self: Pin<&mut Self>) {
        self.project().sleep.set(None);
    }

    /// Ready with the exceeded time. While the server waits for an answer of the client, the call is not silent.
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
                // Checked again every `idle`, so that the answer's own idle time is measured in time.
                Awaits::Client(until) => until.min(later(now, idle)),
                Awaits::Nobody(since) => match since.map(|since| later(since, idle)) {
                    Some(next) if next > now => next,
                    _ => return Poll::Ready(idle),
                },
            };
            sleep.as_mut().reset(this.until.map_or(next, |(until, _)| until.min(next)));
        }
    }

    fn next(&self) -> Option<Instant> {
        let idle = self.idle.map(|idle| later(Instant::now(), idle));
        let until = self.until.map(|(until, _)| until);
        idle.into_iter().chain(until).min()
    }
}

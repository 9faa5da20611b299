//! A timer for a call's idle time and total time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crossway_service::later;
use pin_project::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Elapsed;

/// Ends a call that is silent, or takes, for too long. The timer is set when the call first has to be waited for, and again each time it
/// fires, not for each sign of life.
#[pin_project]
pub(crate) struct Timer {
    idle: Option<Duration>,
    until: Option<(Instant, Duration)>,
    /// When the last message came.
    heard: Option<Instant>,
    #[pin]
    sleep: Option<Sleep>,
}

impl Timer {
    pub(super) fn new(idle: Option<Duration>, until: Option<(Instant, Duration)>) -> Self {
        Self { idle, until, heard: None, sleep: None }
    }

    /// Records a sign of life.
    pub(super) fn heard(self: Pin<&mut Self>) {
        if self.idle.is_some() {
            *self.project().heard = Some(Instant::now());
        }
    }

    /// Ready when a limit is exceeded.
    pub(super) fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Elapsed> {
        let mut this = self.project();
        loop {
            let silent_since = *this.heard.get_or_insert_with(Instant::now);
            let idle = this.idle.map(|idle| (later(silent_since, idle), Elapsed::Idle(idle)));
            let until = this.until.map(|(until, total)| (until, Elapsed::Total(total)));
            let Some((next, elapsed)) = until.into_iter().chain(idle).min_by_key(|(at, _)| *at) else {
                return Poll::Pending;
            };
            match this.sleep.as_mut().as_pin_mut() {
                None => this.sleep.set(Some(sleep_until(next))),
                Some(sleep) => {
                    ready!(sleep.poll(cx));
                    if next <= Instant::now() {
                        return Poll::Ready(elapsed);
                    }
                    this.sleep.set(Some(sleep_until(next)));
                }
            }
        }
    }
}

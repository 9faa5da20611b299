//! Reads a child's stdout and writes its stdin, neither of which waits for the other. A child that blocks on a full stdout
//! continues to read its stdin once its stdout was read.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use crossway_proto::Limits;
use crossway_service::Mux;
use futures_util::future::{Either, select};
use tokio::time::timeout;

use super::intake::{Counts, Intake};
use super::outlet::ChildOutlet;
use super::{Stdin, Stdout};
use crate::fill::poll_fill;
use crate::limits::EXIT_GRACE;

/// Carries messages until the child's stdout ends, or for some time after its stdin was closed.
pub(super) async fn carry(
    stdin: Stdin,
    stdout: Stdout,
    mux: Mux<ChildOutlet>,
    limits: Limits,
    counts: &Counts,
) {
    let outbox = &mux.outlet().outbox;
    let mut reading = Reading::new(stdout, &mux, limits, counts);
    let mut reading = pin!(std::future::poll_fn(move |cx| reading.poll(cx)));
    let writing = pin!(outbox.drive(stdin));
    match select(reading.as_mut(), writing).await {
        Either::Left(((), _)) => {}
        // Our side is closed: the rest of the child's output is read, so that it exits instead of blocking.
        Either::Right((Ok(()), _)) => reading.await,
        // The child has closed its side, and most likely exits.
        Either::Right((Err(_), _)) => drop(timeout(EXIT_GRACE, reading).await),
    }
}

struct Reading<'a> {
    stdout: Stdout,
    mux: &'a Mux<ChildOutlet>,
    intake: Intake<'a, ChildOutlet>,
    counts: &'a Counts,
    #[cfg(target_os = "linux")]
    has_grown: bool,
}

impl<'a> Reading<'a> {
    fn new(stdout: Stdout, mux: &'a Mux<ChildOutlet>, limits: Limits, counts: &'a Counts) -> Self {
        Self {
            stdout,
            mux,
            intake: Intake::new(mux, limits, counts),
            counts,
            #[cfg(target_os = "linux")]
            has_grown: false,
        }
    }

    /// Ready when stdout has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let is_closed = self.mux.outlet().outbox.is_closed();
            if !is_closed {
                let capacity = self.mux.poll_capacity(cx);
                self.counts.is_held.store(capacity.is_pending(), Ordering::Relaxed);
                ready!(capacity);
                if !self.intake.take_lines() {
                    continue;
                }
            }
            let Ok(read @ 1..) = ready!(poll_fill(&mut self.stdout, &mut self.intake.lines, cx)) else {
                self.intake.finish();
                return Poll::Ready(());
            };
            self.counts.reads.fetch_add(1, Ordering::Relaxed);
            if is_closed {
                self.intake.discard();
                continue;
            }
            self.grow_after(read);
        }
    }

    /// Enlarges the pipe when it was found full.
    #[cfg(target_os = "linux")]
    fn grow_after(&mut self, read: usize) {
        const DEFAULT_PIPE: usize = 64 * 1024;
        if read >= DEFAULT_PIPE && !std::mem::replace(&mut self.has_grown, true) {
            super::pipe::grow(&self.stdout);
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn grow_after(&mut self, _: usize) {}
}

//! Supervises a child: starts it, waits for its end, and cleans up.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossway_service::{Mux, Reason, Scope};
use futures_util::FutureExt;
use futures_util::future::{FusedFuture, join, select};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::carry::carry;
use super::intake::Counts;
use super::outlet::ChildOutlet;
use super::start::{Started, start};
use super::stderr::{LastLines, follow};
use super::tree::Tree;
use super::{Ended, Plan, Stdin};
use crate::limits::{EXIT_GRACE, HELD_WAIT, OUTPUT_GRACE};
use crate::{Exit, StartError};

/// Runs a child from its start to the end of the last of its descendants.
pub(super) async fn keep(
    plan: &Plan,
    scope: Scope,
    mux: Mux<ChildOutlet>,
    mut stop: watch::Receiver<bool>,
) -> Ended {
    let mut closing = plan.closing.subscribe();
    if *stop.borrow() || *closing.borrow() {
        end_calls(&mux, Reason::Closing);
        return Ended { how: Err(StartError::Closing), answers: 0 };
    }
    let upstream = plan.command.name().map(|name| &**name);
    let tenant = plan.command.tenant().map(|tenant| &**tenant);
    let is_shared = matches!(scope, Scope::Shared);
    let Started { mut tree, stdin, stdout, stderr } = match start(&plan.command) {
        Ok(started) => started,
        Err(error) => {
            if !is_shared {
                tracing::warn!(upstream, tenant, %error, "the MCP server of a session can't be started");
            }
            end_calls(&mux, Reason::Unavailable(error.why()));
            return Ended { how: Err(error), answers: 0 };
        }
    };
    let pid = tree.id().unwrap_or_default();
    tracing::debug!(pid, upstream, tenant, program = ?plan.command.shown(), "an MCP server was started");

    let options = plan.options;
    let counts = Arc::new(Counts::of(plan));
    #[cfg(unix)]
    mux.outlet().outbox.open(Arc::clone(&stdin));
    let deaf = deaf(&stdin);
    let carrier = tokio::spawn({
        let (mux, counts) = (mux.clone(), Arc::clone(&counts));
        async move { carry(stdin, stdout, mux, options.message, &counts).await }
    });
    let _carrier_ends_with_us = Aborts(carrier.abort_handle());
    let mut carrying = pin!(carrier.fuse());
    let last = LastLines::new(options.quoted_lines);
    let mut following = pin!(follow(stderr, pid, (upstream, tenant), &last).fuse());
    let mut asked = pin!(async {
        // Either sender outlives this future.
        let stop = pin!(stop.wait_for(|stop| *stop));
        let _ = select(stop, pin!(closing.wait_for(|closing| *closing))).await;
    });

    let is_asked = tokio::select! {
        () = tree.wait() => false,
        _ = carrying.as_mut() => false,
        () = deaf => false,
        () = &mut asked => true,
        () = forever(following.as_mut()) => false,
    };
    if !is_asked {
        tokio::select! {
            () = last_words(&mut tree, carrying, following.as_mut(), &counts) => {}
            () = &mut asked => {}
        }
    }
    if !is_asked && !is_shared {
        let status = tree.status().map(tracing::field::display);
        tracing::warn!(pid, upstream, tenant, status, "the MCP server of a session has ended by itself");
    }
    let exit = Exit::new(tree.status(), last.to_vec());
    end_calls(&mux, if is_asked { Reason::Closing } else { Reason::Ended(exit.why()) });

    tokio::select! {
        () = tree.end(options.close_wait, options.term_wait) => {}
        () = forever(following) => {}
    }
    let answers = counts.answers.load(Ordering::Relaxed);
    let noise = counts.noise.load(Ordering::Relaxed);
    tracing::debug!(pid, upstream, tenant, status = ?tree.status(), answers, noise, strays = mux.strays(), "an MCP server has ended");
    Ended { how: Ok(exit), answers }
}

/// Fails all calls, those in flight and later ones, and closes the child's stdin.
fn end_calls(mux: &Mux<ChildOutlet>, reason: Reason) {
    let unsent = mux.outlet().outbox.close(reason.clone());
    mux.end(reason, |call| unsent.contains(&call));
}

/// Waits for the exit of a child that has closed its stdin or stdout, and then until its output was read to
/// the end, or, if a descendant holds it open, until nothing more arrives.
async fn last_words(
    tree: &mut Tree,
    carrying: Pin<&mut impl FusedFuture>,
    mut following: Pin<&mut impl FusedFuture>,
    counts: &Counts,
) {
    let _ = timeout(EXIT_GRACE, select(pin!(tree.wait()), pin!(forever(following.as_mut())))).await;
    if tree.status().is_none() {
        return;
    }
    let mut output = pin!(join(rest_of(carrying), rest_of(following)));
    let deadline = Instant::now() + HELD_WAIT;
    loop {
        let before = counts.reads.load(Ordering::Relaxed);
        if timeout(OUTPUT_GRACE, output.as_mut()).await.is_ok() {
            return;
        }
        let is_read = counts.reads.load(Ordering::Relaxed) != before;
        let is_held = counts.is_held.load(Ordering::Relaxed);
        if !(is_read || is_held) || Instant::now() > deadline {
            return;
        }
    }
}

/// Waits until the child no longer reads its stdin, on systems where that can be detected.
#[cfg(unix)]
fn deaf(stdin: &Stdin) -> impl Future<Output = ()> + use<> {
    let stdin = Arc::clone(stdin);
    async move { stdin.deaf().await }
}

#[cfg(not(unix))]
fn deaf(_: &Stdin) -> impl Future<Output = ()> + use<> {
    std::future::pending()
}

/// Polls a future that may have ended already.
async fn rest_of(future: Pin<&mut impl FusedFuture>) {
    if !future.is_terminated() {
        future.await;
    }
}

/// Polls a future alongside others, and is never ready itself.
async fn forever(future: Pin<&mut impl FusedFuture>) {
    rest_of(future).await;
    std::future::pending().await
}

/// Aborts a task when dropped.
struct Aborts(AbortHandle);

impl Drop for Aborts {
    fn drop(&mut self) {
        self.0.abort();
    }
}

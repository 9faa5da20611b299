//! Calls that ended without an answer: the server may not have noticed their cancellation yet, or answers nothing any more.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crossway_era::to_legacy::Session;
use crossway_service::{Outcome, Reason, Running};
use tokio::time::{Instant, sleep, timeout};

use super::pooled_session::{Lease, PooledSession};
use crate::limits::{OPEN_TIME, PING_PAUSE, SILENT_TIME};

impl Lease {
    /// Returns the session after a call that ended without an answer, and pings the server.
    ///
    /// Later messages of the server for that call would be taken for the next call's, maybe another client's: so no call in which the server
    /// may ask gets the session until the server has answered a ping that was sent after the cancellation.
    ///
    /// `is_given_up` says that the call's time was up, or that its client has left: then a server from which nothing comes any more
    /// gets no new calls in this session.
    pub(super) fn settle(self, is_given_up: bool) {
        let member = Arc::clone(&self.member);
        if member.is_dead() {
            return;
        }
        if self.is_exclusive {
            member.unconfirmed_cancels.fetch_add(1, Ordering::AcqRel);
            tokio::spawn(async move {
                match timeout(SILENT_TIME, member.ask(Session::ping())).await {
                    Ok(Ok(_)) => drop(member.unconfirmed_cancels.fetch_sub(1, Ordering::AcqRel)),
                    // The server is still busy with the cancelled call alone: calls that can be asked get another session.
                    _ => member.retire(),
                }
                drop(self);
            });
            return;
        }
        let may_log = member.session().is_some_and(|session| session.can("logging"));
        if !is_given_up && !may_log {
            return;
        }
        let mut state = member.state();
        if may_log {
            member.unconfirmed_cancels.fetch_add(1, Ordering::AcqRel);
            state.unheard += 1;
        }
        if let Some(running) = member.pinging.claim() {
            tokio::spawn(ping(Arc::downgrade(&member), running));
        }
    }
}

/// Pings a server until it has seen all cancellations, or its session has ended. Does not keep the session alive.
async fn ping(member: Weak<PooledSession>, running: Running) {
    let mut silence = None;
    let mut pause = PING_PAUSE;
    loop {
        let Some(member) = member.upgrade().filter(|member| !member.is_dead()) else { return };
        let unheard = member.state().unheard;
        let (heard, began) = (member.heard(), Instant::now());
        let answer = timeout(SILENT_TIME, member.ask(Session::ping())).await;
        // A ping whose own exchange breaks shows nothing about the calls in flight in others.
        if let Ok(Err(error)) = &answer
            && matches!(error.reason(), Reason::SessionEnded | Reason::Closing)
        {
            member.kill();
        }
        let confirmed = if matches!(answer, Ok(Ok(_))) { unheard } else { 0 };
        let outcome = match answer {
            Ok(answer) => answer.map_or_else(|error| error.outcome(), |_| Outcome::Answered),
            Err(_) => Outcome::Unknown,
        };
        pause = if outcome == Outcome::NotSent { (pause * 2).min(OPEN_TIME) } else { PING_PAUSE };
        match outcome {
            Outcome::NotSent => {}
            Outcome::Answered => {
                silence = None;
                member.unconfirmed_cancels.fetch_sub(confirmed, Ordering::AcqRel);
                let mut state = member.state();
                state.unheard -= confirmed;
                if state.unheard == 0 {
                    // Still under the lock, so that no further call is added meanwhile.
                    drop(running);
                    return;
                }
            }
            Outcome::Unknown => {
                let (before, since) = *silence.get_or_insert((heard, began));
                if member.heard() != before {
                    // Other calls keep it busy.
                    silence = None;
                } else if since.elapsed() >= SILENT_TIME {
                    member.retire();
                }
            }
        }
        drop(member);
        sleep(pause).await;
    }
}

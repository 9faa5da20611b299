//! Calls that ended without an answer: the server may not have noticed their cancellation yet, or answers nothing any more.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossway_era::to_legacy::Session;
use crossway_service::{Outcome, Reason, Running};
use tokio::time::{Instant, sleep, timeout};

use super::pooled_session::{Lease, PooledSession};
use super::reply::Ended;
use crate::limits::{OPEN_TIME, PING_PAUSE, SILENT_TIME};

/// What became of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    /// The server has answered it, so it has read what was sent before.
    Answered,
    /// The server has refused it, or something in front of the server has.
    Refused,
    /// It was not sent, which shows nothing about the server.
    Unsent,
    /// It was not answered in time, or its connection broke.
    Silent,
}

impl Ping {
    /// The pause before the next ping, after this pause.
    fn pause(self, last: Duration) -> Duration {
        if self == Self::Unsent { (last * 2).min(OPEN_TIME) } else { PING_PAUSE }
    }
}

impl PooledSession {
    async fn ping(&self) -> Ping {
        let error = match timeout(SILENT_TIME, self.ask(Session::ping())).await {
            Ok(Ok(_)) => return Ping::Answered,
            Ok(Err(error)) => error,
            Err(_) => return Ping::Silent,
        };
        // A ping whose own exchange breaks shows nothing about the calls in flight in others.
        if matches!(error.reason(), Reason::SessionEnded | Reason::Closing) {
            self.kill();
        }
        match error.outcome() {
            Outcome::Answered => Ping::Refused,
            Outcome::NotSent => Ping::Unsent,
            Outcome::Unknown => Ping::Silent,
        }
    }
}

impl Lease {
    /// Returns the session after a call that ended without an answer, and pings the server.
    ///
    /// Later messages of the server for that call would be taken for the next call's, maybe another client's: so no call in which the server
    /// may ask gets the session until the server has answered a ping that was sent after the cancellation.
    ///
    /// A session gets no new calls while its server is silent after a call that was given up: the server may hang, or be at work on that
    /// call alone.
    pub(super) fn settle(self, ended: Ended) {
        let member = Arc::clone(&self.member);
        if member.is_dead() {
            return;
        }
        let may_log = member.session().is_some_and(|session| session.can("logging"));
        match (self.is_exclusive, may_log, ended) {
            (true, _, _) => {
                member.unconfirmed_cancels.fetch_add(1, Ordering::AcqRel);
                tokio::spawn(confirm(self));
            }
            (false, true, _) | (false, false, Ended::GivenUp) => {
                let mut state = member.state();
                if may_log {
                    member.unconfirmed_cancels.fetch_add(1, Ordering::AcqRel);
                    state.unheard += 1;
                }
                if let Some(running) = member.pinging.claim() {
                    tokio::spawn(confirm_all(Arc::downgrade(&member), running));
                }
            }
            (false, false, Ended::Answered | Ended::Failed) => {}
        }
    }
}

/// Pings a server after a call that may ask its client, until it has seen the cancellation, or its session has ended. Does not keep the
/// session alive.
///
/// The call's lease is kept until the server counts as silent: then other calls that can be asked get another session.
async fn confirm(lease: Lease) {
    let member = Arc::downgrade(&lease.member);
    let (mut lease, mut silence) = (Some(lease), None);
    let (began, mut pause) = (Instant::now(), PING_PAUSE);
    loop {
        let Some(member) = member.upgrade().filter(|member| !member.is_dead()) else { return };
        let ping = member.ping().await;
        pause = ping.pause(pause);
        match ping {
            Ping::Answered => {
                member.unconfirmed_cancels.fetch_sub(1, Ordering::AcqRel);
                return;
            }
            _ if began.elapsed() < SILENT_TIME => {}
            _ => {
                silence.get_or_insert_with(|| member.fall_silent());
                drop(lease.take());
            }
        }
        drop(member);
        sleep(pause).await;
    }
}

/// Pings a server until it has seen all cancellations, or its session has ended. Does not keep the session alive.
async fn confirm_all(member: Weak<PooledSession>, running: Running) {
    let (mut unanswered, mut silence) = (None, None);
    let mut pause = PING_PAUSE;
    loop {
        let Some(member) = member.upgrade().filter(|member| !member.is_dead()) else { return };
        let unheard = member.state().unheard;
        let (heard, began) = (member.heard(), Instant::now());
        let ping = member.ping().await;
        pause = ping.pause(pause);
        match ping {
            Ping::Unsent => {}
            Ping::Answered | Ping::Refused => {
                (unanswered, silence) = (None, None);
                let confirmed = if ping == Ping::Answered { unheard } else { 0 };
                member.unconfirmed_cancels.fetch_sub(confirmed, Ordering::AcqRel);
                let mut state = member.state();
                state.unheard -= confirmed;
                if state.unheard == 0 {
                    // Still under the lock, so that no further call is added meanwhile.
                    drop(running);
                    return;
                }
            }
            Ping::Silent => {
                let (before, since) = *unanswered.get_or_insert((heard, began));
                if member.heard() != before {
                    // Other calls keep it busy.
                    unanswered = None;
                } else if since.elapsed() >= SILENT_TIME {
                    silence.get_or_insert_with(|| member.fall_silent());
                }
            }
        }
        drop(member);
        sleep(pause).await;
    }
}

//! Cancelled calls that the server may not have noticed yet.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crossway_era::to_legacy::Session;
use tokio::time::{sleep, timeout};

use super::member::{Lease, Member};
use crate::limits::OPEN_TIME;

impl Lease {
    /// Returns the session after a call that ended without an answer. Later messages of the server for that call would be taken for the
    /// next call's, maybe another client's: so no call in which the server may ask gets the session until the server has answered a ping
    /// that was sent after the cancellation.
    pub(super) fn settle(self) {
        let member = &self.member;
        let may_speak = member.session().is_some_and(|session| self.is_exclusive || session.can("logging"));
        if !may_speak || member.is_dead() {
            return;
        }
        member.unconfirmed_cancels.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            let answered = timeout(OPEN_TIME, self.member.ask(Session::ping())).await;
            match answered {
                Ok(Ok(_)) => drop(self.member.unconfirmed_cancels.fetch_sub(1, Ordering::AcqRel)),
                // The server is still busy with the cancelled call alone: calls that can be asked get another session.
                _ if self.is_exclusive => self.member.kill(),
                failed => {
                    if let Ok(Err(error)) = failed {
                        self.member.note_failure(&error);
                    }
                    note_unheard(&self.member);
                }
            }
        });
    }
}

/// The server has not answered in time; other calls may keep it busy. Pings it until it does.
fn note_unheard(member: &Arc<Member>) {
    let mut state = member.state();
    state.unheard += 1;
    if state.unheard == 1 {
        drop(state);
        tokio::spawn(ask_again(Arc::downgrade(member)));
    }
}

/// Pings a server until it has seen all cancellations, or its session has ended. Does not keep the session alive.
async fn ask_again(member: Weak<Member>) {
    loop {
        sleep(OPEN_TIME).await;
        let Some(member) = member.upgrade().filter(|member| !member.is_dead()) else { return };
        let unheard = member.state().unheard;
        match timeout(OPEN_TIME, member.ask(Session::ping())).await {
            Ok(Ok(_)) => {
                member.unconfirmed_cancels.fetch_sub(unheard, Ordering::AcqRel);
                let mut state = member.state();
                state.unheard -= unheard;
                if state.unheard == 0 {
                    return;
                }
            }
            Ok(Err(error)) => member.note_failure(&error),
            Err(_) => {}
        }
    }
}

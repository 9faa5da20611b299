//! Cancelled calls that the server may not have noticed yet.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crossway_era::to_legacy::Session;
use tokio::time::{sleep, timeout};

use super::member::{Lease, Member};
use crate::limits::OPEN_TIME;

impl Lease {
    /// Gives the session back after a call that ended without an answer. What the server still says for it would be taken
    /// for the next one's, another client's maybe: so none that the server may ask in gets the session until the server
    /// has answered a ping that was sent behind the cancellation.
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
                // It does nothing else than what was cancelled: whoever could be asked has another one.
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

/// The server has not answered in time: others' calls may keep it busy. It is asked until it does.
fn note_unheard(member: &Arc<Member>) {
    let mut state = member.state();
    state.unheard += 1;
    if state.unheard == 1 {
        drop(state);
        tokio::spawn(ask_again(Arc::downgrade(member)));
    }
}

/// Asks a server until it has heard of all that has ended, or its session is no more. Nobody holds the session for that.
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

//! Server messages that belong to no call.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crossway_era::to_legacy::{self, Call};
use crossway_proto::{Kind, Message, RequestId};
use crossway_service::Reply;

use super::pooled_session::PooledSession;
use crate::limits::ORPHANS;
use crate::mailbox::Mailbox;

/// A call that can take messages outside of all calls.
pub(super) struct Taker {
    mailbox: Weak<Mailbox>,
    /// Whether the server may ask the client during the call.
    may_be_asked: bool,
    /// Whether the call gets the server's log messages.
    wants_logs: bool,
    /// The token of the server's progress notifications, if the call has asked for them.
    progress: Option<RequestId>,
}

impl Taker {
    pub(super) fn new(mailbox: &Arc<Mailbox>, call: &Call) -> Self {
        let progress = call.server_progress().cloned();
        let (may_be_asked, wants_logs) = (call.may_ask(), call.level().is_some());
        Self { mailbox: Arc::downgrade(mailbox), may_be_asked, wants_logs, progress }
    }
}

impl PooledSession {
    /// Registers a call for messages outside of all calls. If it may be asked, it gets the waiting requests.
    pub(super) fn take_in(&self, mailbox: &Arc<Mailbox>, call: &Call) {
        let taker = Taker::new(mailbox, call);
        let mut state = self.state();
        state.takers.retain(|taker| taker.mailbox.strong_count() > 0);
        if taker.may_be_asked {
            for orphan in std::mem::take(&mut state.orphans) {
                mailbox.deliver(orphan);
            }
        }
        state.takers.push(taker);
    }

    /// Unregisters a call, which continues elsewhere.
    pub(super) fn let_go(&self, mailbox: &Arc<Mailbox>) {
        self.state().takers.retain(|taker| !std::ptr::eq(taker.mailbox.as_ptr(), Arc::as_ptr(mailbox)));
    }

    /// Delivers a server's request to the newest call that may be asked; gives it back if there is none.
    pub(super) fn offer(&self, mut message: Message) -> Result<(), Box<Message>> {
        let takers: Vec<_> = {
            let mut state = self.state();
            state.takers.retain(|taker| taker.mailbox.strong_count() > 0);
            let asked = state.takers.iter().rev().filter(|taker| taker.may_be_asked);
            asked.filter_map(|taker| taker.mailbox.upgrade()).collect()
        };
        for taker in takers {
            // A call that has just ended gives it back, as does one whose mailbox is full.
            match taker.tell(message) {
                Ok(()) => return Ok(()),
                Err(back) => message = *back,
            }
        }
        Err(Box::new(message))
    }

    /// Handles a server message that belongs to no call.
    pub(super) fn unowned(&self, message: Message) {
        match message.kind() {
            Kind::Request if message.is_method("ping") => self.tell(to_legacy::pong(&message)),
            Kind::Request => {
                let Err(message) = self.offer(message).map_err(|message| *message) else { return };
                let mut state = self.state();
                // It is not kept for a later call if it may belong to one that has just ended.
                if !self.asks.is_empty() && state.orphans.len() < ORPHANS && !self.may_log_for_ended_calls() {
                    state.orphans.push_back(message);
                } else {
                    drop(state);
                    self.tell(to_legacy::refuse(&message));
                }
            }
            Kind::Notification if message.is_method("notifications/message") => {
                if let Some(taker) = self.log_taker() {
                    let _ = taker.tell(message);
                }
            }
            Kind::Notification if message.is_method("notifications/progress") => self.progress(message),
            Kind::Notification if message.is_method("notifications/cancelled") => {
                self.note_withdrawn(&message)
            }
            Kind::Notification => self.audience.announce(message),
            Kind::Result | Kind::Error => {}
        }
    }

    /// The call that may get log messages from outside of all calls.
    ///
    /// Such a message may be about any call: another one in flight or given up just now, or a resource that somebody listens to. Where
    /// those may be another client's, no call gets it. Listeners to changes of lists do not count, as the server does nothing for them.
    fn log_taker(&self) -> Option<Arc<Mailbox>> {
        let takers: Vec<_> = {
            let state = self.state();
            let wanting = state.takers.iter().filter(|taker| taker.wants_logs);
            wanting.filter_map(|taker| taker.mailbox.upgrade()).collect()
        };
        let [taker] = takers.try_into().ok()?;
        let is_anybodys = self.is_many
            && (self.busy() != 1 || self.may_log_for_ended_calls() || self.may_tell_of_resources());
        (!is_anybodys).then_some(taker)
    }

    /// "Progress notifications **MUST** only reference tokens that [...] are associated with an in-progress operation" (2025-11-25,
    /// basic/utilities/progress, Behavior Requirements). A session's tokens are its calls' ids, so they are unique.
    fn progress(&self, message: Message) {
        let token = message.progress_token();
        let call = token.and_then(|token| {
            let state = self.state();
            let owner = state.takers.iter().find(|taker| taker.progress.as_ref() == Some(&token));
            owner.and_then(|taker| taker.mailbox.upgrade())
        });
        // For a call that has ended or never existed, or whose client does not read.
        if call.is_none_or(|call| call.tell(message).is_err()) {
            self.strays.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Handles the server's messages outside of all calls, until the session ends.
pub(super) async fn attend(member: Weak<PooledSession>, mut listening: Reply) {
    while let Some(Ok(message)) = listening.next().await {
        let Some(member) = member.upgrade() else { return };
        member.note_heard();
        member.unowned(message);
    }
    if let Some(member) = member.upgrade() {
        member.kill();
    }
}

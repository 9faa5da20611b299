//! Parked calls: they wait for their clients' answers.

use std::sync::Arc;

use crossway_era::to_legacy::{Call, ClientFeatures, Question};
use crossway_proto::{Message, Outcome};
use crossway_service::{Context, Reply};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::pool::{Owner, Pool};
use super::pooled_session::Lease;
use super::reply::{CallReply, Ended};
use super::sharers::Sharer;
use crate::mailbox::Mailbox;

/// A call that waits for its client's answer and keeps its session.
pub(super) struct Parked {
    pub(super) call: Call,
    /// `None` if the call is to be sent once the client has answered.
    pub(super) reply: Option<Reply>,
    pub(super) lease: Lease,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) questions: Vec<Question>,
    /// The owner who may resume the call.
    pub(super) owner: Owner,
    /// The sharer whose share of the parked calls it counts in.
    pub(super) sharer: Sharer,
    /// The call's context: some of it has to be held as long as the call is.
    pub(super) _context: Context,
    /// Aborts the task that gives the call up when its client does not answer in time.
    pub(super) expiry: Option<AbortHandle>,
}

impl Parked {
    /// Gives up without the client's answer: the server is told, and the call is cancelled.
    fn give_up(self) {
        for question in &self.questions {
            self.lease.member.tell(question.unanswered());
        }
        self.lease.member.refuse_rest(&self.mailbox, false);
        drop(self.reply);
        if self.owner.is_many() {
            self.lease.settle(Ended::GivenUp);
        }
    }
}

impl Pool {
    /// Parks a call. Returns the message for its client: the questions, or the error if it cannot be parked.
    pub(super) fn park(self: &Arc<Self>, mut parked: Parked) -> Message {
        let outcome = if parked.reply.is_some() { Outcome::Unknown } else { Outcome::NotSent };
        let no_room = Self::no_room(&parked.call, outcome);
        let mut bits = [0; 16];
        let (Some(keyring), Ok(())) = (&self.keyring, getrandom::fill(&mut bits)) else {
            parked.give_up();
            return no_room;
        };
        let Ok(state) = keyring.seal(&self.purpose(), &bits) else {
            parked.give_up();
            return no_room;
        };
        let asked = parked.call.input_required(&parked.questions, &state);
        let handle = u128::from_be_bytes(bits);
        let (pool, time) = (Arc::downgrade(self), self.options.parked_time);
        let expiry = tokio::spawn(async move {
            sleep(time).await;
            if let Some(parked) = pool.upgrade().and_then(|pool| pool.take(handle, |_| true)) {
                parked.give_up();
            }
        });
        parked.expiry = Some(expiry.abort_handle());
        if let Err(parked) = self.keep(handle, parked) {
            expiry.abort();
            parked.give_up();
            return no_room;
        }
        asked
    }

    /// Resumes the call that a client's second request is for; `None` if there is no call that it may resume.
    pub(super) fn wake(self: &Arc<Self>, state: &str, message: &Message, context: &Context) -> Option<Reply> {
        let bits = self.keyring.as_ref()?.open(&self.purpose(), state).ok()?;
        let handle = u128::from_be_bytes(bits.try_into().ok()?);
        let owner = self.owner(message, &ClientFeatures::of(message), context);
        let is_anybodys =
            |parked: &Parked| matches!(parked.owner, Owner::Call(_)) && matches!(owner, Owner::Call(_));
        let mut parked = self.take(handle, |parked| {
            (parked.owner == owner || is_anybodys(parked)) && parked.call.is_repeated_by(message)
        })?;
        for answer in parked.call.handle_again(message, &mut parked.questions) {
            parked.lease.member.tell(answer);
        }
        if parked.questions.is_empty() {
            return Some(Reply::stream(CallReply::again(Arc::clone(self), parked, message, context)));
        }
        Some(Reply::once(self.park(parked)))
    }

    /// The purpose that binds a state to this upstream.
    fn purpose(&self) -> Vec<u8> {
        [b"crossway requestState ", self.name.as_bytes()].concat()
    }
}

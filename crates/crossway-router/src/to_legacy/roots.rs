//! Questions about roots that come while no client can be asked.
//!
//! Servers ask when their session begins, and in the course of whatever call that is. A list can't be answered by a
//! question, so theirs waits: for the next call in whose course the client can be asked, which has the answer before the server sees it.

use std::collections::VecDeque;
use std::pin::Pin;

use crossway_era::to_legacy::{self, ClientFeatures};
use crossway_proto::{Message, RequestId};
use tokio::time::{Sleep, sleep};

use super::member::Member;
use crate::limits::{ORPHANS, ROOTS_HELD};

/// Whether a client has roots that it can be asked for.
pub(super) fn has_roots(asks: &ClientFeatures) -> bool {
    let asks: serde_json::Value = serde_json::from_str(asks.as_json()).unwrap_or_default();
    asks["roots"].is_object()
}

/// Questions that came in the course of a call that can't ask, and until when it waits for its answer beside them.
pub(super) struct Held {
    ids: Vec<RequestId>,
    pub(super) patience: Pin<Box<Sleep>>,
}

impl Held {
    /// Adds the id of one. The first says for how long.
    pub(super) fn add(held: &mut Option<Self>, id: RequestId) {
        let new = || Self { ids: Vec::new(), patience: Box::pin(sleep(ROOTS_HELD)) };
        held.get_or_insert_with(new).ids.push(id);
    }
}

impl Member {
    /// Keeps a question about roots for a later call, another client's maybe: so without what else is in it. Gives back what can't
    /// wait.
    pub(super) fn keep_for_later(&self, message: Message) -> Result<(), Box<Message>> {
        if !message.is_request() || !message.is_method("roots/list") || !self.may_keep_roots() {
            return Err(Box::new(message));
        }
        let bare = message.id().and_then(|id| Message::request_of(&id, "roots/list", None).ok());
        let mut state = self.state();
        match bare.filter(|_| state.orphans.len() < ORPHANS) {
            Some(bare) => state.orphans.push_back(bare),
            None => return Err(Box::new(message)),
        }
        Ok(())
    }

    /// The questions about roots that a call is to bring the answers to.
    pub(super) fn take_roots(&self) -> VecDeque<Message> {
        let mut state = self.state();
        let (roots, others) = state.orphans.drain(..).partition(|message| message.is_method("roots/list"));
        state.orphans = others;
        roots
    }

    /// The server does not go on without an answer to what is held: it is told that nobody can be asked, and is not waited for again.
    pub(super) fn refuse_held(&self, held: &Held) {
        for question in self.take_held(&held.ids) {
            self.note_that_it_waits_for_roots();
            self.tell(to_legacy::refuse(&question));
        }
    }

    /// The same of a call that ended without an answer. The server may not wait for what it asked in the course of others.
    pub(super) fn drop_held(&self, held: &Held) {
        for question in self.take_held(&held.ids) {
            self.tell(to_legacy::refuse(&question));
        }
    }

    /// The server no longer waits for an answer.
    pub(super) fn note_withdrawn(&self, cancellation: &Message) {
        if let Some(id) = cancellation.cancelled_id() {
            self.take_held(&[id]);
        }
    }

    fn take_held(&self, ids: &[RequestId]) -> VecDeque<Message> {
        let mut state = self.state();
        let is_one = |message: &Message| message.id().is_some_and(|id| ids.contains(&id));
        let (taken, others) = state.orphans.drain(..).partition(is_one);
        state.orphans = others;
        taken
    }
}

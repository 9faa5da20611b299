//! Questions about roots that come while no client can be asked.
//!
//! Servers ask for roots when their session begins, in the course of any call. A list request cannot return a question, so the server's
//! question waits for the next call that can ask the client; the server gets the answer before that call.

use std::collections::VecDeque;
use std::pin::Pin;

use crossway_era::to_legacy::{self, ClientFeatures};
use crossway_proto::{Message, RequestId};
use tokio::time::{Sleep, sleep};

use super::pooled_session::PooledSession;
use crate::limits::{ORPHANS, ROOTS_HELD};

/// Whether a client supports roots.
pub(super) fn has_roots(asks: &ClientFeatures) -> bool {
    let asks: serde_json::Value = serde_json::from_str(asks.as_json()).unwrap_or_default();
    asks["roots"].is_object()
}

/// Questions that came during a call that cannot ask, and how long the call waits for its answer beside them.
pub(super) struct Held {
    ids: Vec<RequestId>,
    pub(super) patience: Pin<Box<Sleep>>,
}

impl Held {
    /// Adds the id of a question. The first one starts the time limit.
    pub(super) fn add(held: &mut Option<Self>, id: RequestId) {
        let new = || Self { ids: Vec::new(), patience: Box::pin(sleep(ROOTS_HELD)) };
        held.get_or_insert_with(new).ids.push(id);
    }
}

impl PooledSession {
    /// Keeps a question about roots for a later call, maybe another client's: so only its id and method are kept. Gives back a message that
    /// cannot wait.
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

    /// Takes the questions about roots, for a call that can bring the answers.
    pub(super) fn take_roots(&self) -> VecDeque<Message> {
        let mut state = self.state();
        let (roots, others) = state.orphans.drain(..).partition(|message| message.is_method("roots/list"));
        state.orphans = others;
        roots
    }

    /// The server does not continue without the held answers: refuses them, and stops holding questions from now on.
    pub(super) fn refuse_held(&self, held: &Held) {
        for question in self.take_held(&held.ids) {
            self.note_that_it_waits_for_roots();
            self.tell(to_legacy::refuse(&question));
        }
    }

    /// Refuses the held questions of a call that ended without an answer. The server may still continue without answers in other calls.
    pub(super) fn drop_held(&self, held: &Held) {
        for question in self.take_held(&held.ids) {
            self.tell(to_legacy::refuse(&question));
        }
    }

    /// Drops a question whose answer the server no longer waits for.
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

//! Calls that are made again after the user has visited a URL.

use crossway_era::to_legacy::{Call, Question, identity};
use crossway_proto::Message;

use super::pool::{Owner, Pool};

impl Pool {
    /// What a client gets for a call that its server refuses before the user has been to the URLs of `questions`.
    ///
    /// Nothing is kept of the call. The state says no more than that this was asked of this owner for this request, so one
    /// that comes back late or twice does what a request without it would: it needs no expiry.
    pub(super) fn ask_anew(&self, call: &Call, owner: &Owner, questions: &[Question]) -> Message {
        let request = call.request();
        let state = self
            .keyring
            .as_ref()
            .and_then(|keyring| keyring.seal(&self.purpose_of_visits(&request, owner), b"").ok());
        match state {
            Some(state) => call.input_required(questions, &state),
            None => Self::no_room(call),
        }
    }

    /// Whether a client that brings this state was sent to URLs by [`ask_anew`](Self::ask_anew), for this request.
    pub(super) fn has_asked_anew(&self, state: &str, request: &Message, owner: &Owner) -> bool {
        // A name that was changed on the way here is one that readers don't see yet.
        let (Some(keyring), Ok(request)) = (&self.keyring, request.reread()) else { return false };
        keyring.open(&self.purpose_of_visits(&request, owner), state).is_ok()
    }

    /// What binds a state to this upstream, the owner and the request. No two of them give the same.
    fn purpose_of_visits(&self, request: &Message, owner: &Owner) -> Vec<u8> {
        let key = owner.key().unwrap_or_default();
        let mut purpose = b"crossway URL elicitation".to_vec();
        for part in [self.name.as_bytes(), key.as_bytes(), &identity(request)] {
            purpose.extend_from_slice(&(part.len() as u64).to_be_bytes());
            purpose.extend_from_slice(part);
        }
        purpose
    }
}

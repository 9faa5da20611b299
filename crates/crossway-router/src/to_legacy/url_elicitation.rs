//! Calls that are made again after the user has visited a URL.

use crossway_era::to_legacy::{Call, Question, identity};
use crossway_proto::{Message, Outcome};

use super::pool::{Owner, Pool};

impl Pool {
    /// The client's answer for a call that its server refuses until the user has visited the URLs of `questions`.
    ///
    /// Nothing is kept of the call. The state only proves that this owner was asked this for this request, so a state that comes back
    /// late or twice has the effect of a request without it: it needs no expiry.
    pub(super) fn ask_anew(&self, call: &Call, owner: &Owner, questions: &[Question]) -> Message {
        let request = call.request();
        let state = self
            .keyring
            .as_ref()
            .and_then(|keyring| keyring.seal(&self.purpose_of_visits(&request, owner), b"").ok());
        match state {
            Some(state) => call.input_required(questions, &state),
            None => Self::no_room(call, Outcome::Answered),
        }
    }

    /// Whether a client with this state was sent to URLs by [`ask_anew`](Self::ask_anew), for this request.
    pub(super) fn has_asked_anew(&self, state: &str, request: &Message, owner: &Owner) -> bool {
        // Readers do not yet see a name that was changed on the way here.
        let (Some(keyring), Ok(request)) = (&self.keyring, request.reread()) else { return false };
        keyring.open(&self.purpose_of_visits(&request, owner), state).is_ok()
    }

    /// The purpose that binds a state to this upstream, the owner and the request. Different combinations have different purposes.
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

//! Tool state between two rounds, sealed into the client's `requestState`.

use rmcp::model::{ErrorData, RequestStateCodec, SealOptions};
use serde::{Deserialize, Serialize};

use crate::limits::STATE_LIFE;

/// The state of a tool: its round, and one thing that it learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) round: u8,
    pub(crate) note: String,
}

impl Kept {
    pub(crate) fn new(round: u8, note: impl Into<String>) -> Self {
        Self { round, note: note.into() }
    }
}

/// Seals and opens states with a key that lives as long as the server.
///
/// "Servers MUST treat `requestState` as an attacker-controlled input" (2026-07-28, basic/patterns/mrtr). The demo knows no principals, so
/// a state is bound to time and to its request: the method, the name and the arguments, which make up the *subject*.
#[derive(Debug)]
pub(crate) struct Seal(Option<RequestStateCodec>);

impl Seal {
    /// Makes a fresh key. Without a source of randomness there is none, and tools that need one fail with a message.
    pub(crate) fn new() -> Self {
        let mut key = [0; RequestStateCodec::MIN_KEY_LENGTH];
        Self(getrandom::fill(&mut key).ok().and_then(|()| RequestStateCodec::try_new(key).ok()))
    }

    pub(crate) fn seal(&self, subject: &str, kept: &Kept) -> Result<String, ErrorData> {
        let options = SealOptions::new().associated_data(subject.as_bytes()).ttl(STATE_LIFE);
        let sealed = self.codec()?.seal_json_with(kept, &options);
        sealed.map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    /// Fails for a state that was not sealed by this server, for this subject, recently.
    pub(crate) fn open(&self, subject: &str, sealed: &str) -> Result<Kept, ErrorData> {
        let opened = self.codec()?.open_json_with(sealed, subject.as_bytes());
        opened.map_err(|error| ErrorData::invalid_params(format!("requestState is refused: {error}"), None))
    }

    fn codec(&self) -> Result<&RequestStateCodec, ErrorData> {
        let no_key = || ErrorData::internal_error("no randomness to make a key of, so no requestState", None);
        self.0.as_ref().ok_or_else(no_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_for_its_own_subject_and_server_only() {
        let (seal, kept) = (Seal::new(), Kept::new(1, "Ada"));
        let sealed = seal.seal("tools/call a", &kept).unwrap();
        assert_eq!(seal.open("tools/call a", &sealed).unwrap(), kept);
        assert!(seal.open("tools/call b", &sealed).is_err());
        assert!(Seal::new().open("tools/call a", &sealed).is_err());
        assert!(seal.open("tools/call a", &format!("{sealed}-TAMPERED")).is_err());
        assert!(seal.open("tools/call a", "").is_err());
    }
}

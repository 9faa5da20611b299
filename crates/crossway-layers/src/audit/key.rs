//! The key for hashing arguments.

use std::fmt;

use ring::{hmac, rand};

/// The key under which arguments are hashed. Who has it can check a guess, and nobody else.
#[derive(Clone)]
pub struct AuditKey(hmac::Key);

/// A hash of arguments.
pub(super) type Hash = [u8; 16];

impl AuditKey {
    /// A key of these bytes; 32 random ones are a good one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A key of this process's own: hashes can be compared within its life alone. `None` if the system has no randomness.
    #[must_use]
    pub fn generate() -> Option<Self> {
        hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok().map(Self)
    }

    pub(super) fn hash(&self, arguments: &[u8]) -> Hash {
        let tag = hmac::sign(&self.0, arguments);
        std::array::from_fn(|at| tag.as_ref()[at])
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey([redacted])")
    }
}

//! Keys that come as bearer, compared without telling how much of them is right.

use subtle::ConstantTimeEq;

use super::error::IdentityError;
use super::refusal::{Credential, Flaw, Refusal};
use super::sums::sha256;
use super::{Asked, headers, limits};
use crate::secret::Secret;

/// The key of the connection from a trusted application, by its SHA-256: comparing sums takes as long for any key.
#[derive(Clone)]
pub(super) struct ConnectionKey([u8; 32]);

impl ConnectionKey {
    pub(super) fn new(key: &Secret, field: &'static str) -> Result<Self, IdentityError> {
        if key.is_empty() {
            return Err(IdentityError::Empty(field));
        }
        let bytes = key.expose().as_bytes();
        if headers::token68(bytes).is_none() {
            return Err(IdentityError::NotBearer(field));
        }
        if bytes.len() > limits::VALUE_BYTES {
            return Err(IdentityError::TooMuch { field, at_most: limits::VALUE_BYTES as u64 });
        }
        Ok(Self(sha256(bytes)))
    }

    /// Checks that a request has the key as bearer.
    pub(super) fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let credential = Credential::ConnectionKey;
        let key = headers::bearer(asked.headers, credential, limits::VALUE_BYTES)?;
        let key = key.ok_or(Refusal::Missing(credential))?;
        let sum = asked.connection.sums().of_bearer(key.as_bytes());
        let is_right: bool = sum.ct_eq(&self.0).into();
        if is_right { Ok(()) } else { Err(Refusal::NotAccepted(credential, Flaw::Unknown)) }
    }
}

impl std::fmt::Debug for ConnectionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

//! Connection keys, of which several may be valid, compared in constant time.

use subtle::{Choice, ConstantTimeEq};

use super::error::{IdentityError, IdentityWarning};
use super::refusal::{Credential, Flaw, Refusal};
use super::sums::sha256;
use super::{Asked, headers, limits};
use crate::secret::{Secret, Secrets};

/// The keys of the connection from a trusted application, any of which is accepted. They are stored as SHA-256, since comparing sums
/// takes the same time for any key.
#[derive(Clone)]
pub(super) struct ConnectionKey(Vec<[u8; 32]>);

impl ConnectionKey {
    pub(super) fn new(keys: &Secrets, field: &'static str) -> Result<Self, IdentityError> {
        some(keys, field)?;
        keys.iter().map(|key| Self::sum(key, field)).collect::<Result<_, _>>().map(Self)
    }

    fn sum(key: &Secret, field: &'static str) -> Result<[u8; 32], IdentityError> {
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
        Ok(sha256(bytes))
    }

    /// Checks that a request has one of the keys as bearer.
    pub(super) fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let credential = Credential::ConnectionKey;
        let key = headers::bearer(asked.headers, credential, limits::VALUE_BYTES)?;
        let key = key.ok_or(Refusal::Missing(credential))?;
        let sum = asked.connection.sums().of_bearer(key.as_bytes());
        let is_right: bool = self.0.iter().fold(Choice::from(0), |found, one| found | sum.ct_eq(one)).into();
        if is_right { Ok(()) } else { Err(Refusal::NotAccepted(credential, Flaw::Unknown)) }
    }
}

/// Checks that a field has at least one secret, and at most [`limits::SECRETS`].
pub(super) fn some(secrets: &Secrets, field: &'static str) -> Result<(), IdentityError> {
    match secrets.iter().len() {
        0 => Err(IdentityError::Empty(field)),
        many if many > limits::SECRETS => {
            Err(IdentityError::TooMuch { field, at_most: limits::SECRETS as u64 })
        }
        _ => Ok(()),
    }
}

/// Returns a warning for each secret of a field that is shorter than recommended.
pub(super) fn short<'a>(
    secrets: &'a Secrets,
    field: &'static str,
) -> impl Iterator<Item = IdentityWarning> + use<'a> {
    let lengths = secrets.iter().map(|secret| secret.expose().len());
    let short = lengths.filter(|bytes| *bytes < limits::SECRET_BYTES);
    short.map(move |bytes| IdentityWarning::ShortSecret { field, bytes })
}

impl std::fmt::Debug for ConnectionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

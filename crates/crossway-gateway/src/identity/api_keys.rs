//! The proof `api-keys`: each key stands for a caller.

use crossway_policy::{Principal, Proof};
use http::header::AUTHORIZATION;
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::caller::Caller;
use super::config::{ApiKeyConfig, ApiKeysConfig, Sha256};
use super::error::IdentityError;
use super::refusal::{Credential, Flaw, Refusal};
use super::sums::{Sums, sha256};
use super::text::{is_email, is_name};
use super::{Asked, headers, limits};

/// The proof `api-keys`.
pub(super) struct ApiKeys {
    keys: Vec<([u8; 32], Caller)>,
}

impl ApiKeys {
    pub(super) fn new(config: &ApiKeysConfig) -> Result<Self, IdentityError> {
        if config.keys.len() > limits::API_KEYS {
            return Err(IdentityError::TooMuch { field: "keys", at_most: limits::API_KEYS as u64 });
        }
        let issuer = super::name("issuer", &config.issuer)?;
        let mut keys: Vec<([u8; 32], Caller)> = Vec::with_capacity(config.keys.len());
        for (index, key) in config.keys.iter().enumerate() {
            if keys.iter().any(|(sum, _)| *sum == key.sha256.0) {
                return Err(IdentityError::KeyTwice(index));
            }
            let principal =
                principal(key, issuer).map_err(|field| IdentityError::KeyOfNobody { index, field })?;
            keys.push((key.sha256.0, Caller::new(principal)));
        }
        Ok(Self { keys })
    }

    /// Returns the caller whose key the request has, or `None` if it has no key.
    pub(super) fn check(&self, asked: &Asked<'_>) -> Result<Option<Caller>, Refusal> {
        let credential = Credential::ApiKey;
        let bearer = headers::bearer(asked.headers, credential, limits::VALUE_BYTES)?;
        let plain = headers::plain(asked.headers, &headers::API_KEY)?;
        let key = match (bearer, plain) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Refusal::Both(AUTHORIZATION, headers::API_KEY)),
            (Some(key), None) => key,
            (None, Some(key)) => headers::word(&headers::API_KEY, key)?,
        };
        let caller =
            self.find(key, asked.connection.sums()).ok_or(Refusal::NotAccepted(credential, Flaw::Unknown))?;
        Ok(Some(caller.clone()))
    }

    /// Compares with every key, even after a match, so that the time reveals nothing.
    fn find(&self, key: &str, sums: &Sums) -> Option<&Caller> {
        let sum = sums.of_bearer(key.as_bytes());
        let mut found = u32::MAX;
        for (index, (known, _)) in (0..u32::MAX).zip(&self.keys) {
            found.conditional_assign(&index, sum.ct_eq(known));
        }
        self.keys.get(usize::try_from(found).ok()?).map(|(_, caller)| caller)
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeys").field("keys", &self.keys.len()).finish()
    }
}

fn principal(key: &ApiKeyConfig, issuer: &str) -> Result<Principal, &'static str> {
    let all_names = |texts: &[String]| texts.len() <= limits::TEXTS && texts.iter().all(|text| is_name(text));
    if !is_name(&key.subject) {
        return Err("subject");
    }
    if !all_names(&key.groups) {
        return Err("groups");
    }
    if !all_names(&key.roles) {
        return Err("roles");
    }
    let mut principal = Principal::new(issuer, key.subject.as_str(), Proof::ApiKey)
        .with_groups(key.groups.iter().map(String::as_str))
        .with_roles(key.roles.iter().map(String::as_str));
    if let Some(email) = &key.email {
        principal = principal.with_email(Some(email).filter(|email| is_email(email)).ok_or("email")?);
    }
    if let Some(name) = &key.name {
        principal = principal.with_name(Some(name).filter(|name| is_name(name)).ok_or("name")?);
    }
    for (name, value) in &key.claims {
        principal = principal.with_claim(name.as_str(), value.clone());
    }
    Ok(principal)
}

/// Why a text is not accepted as an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitKey {
    /// The key is so short that it can be guessed.
    #[error(
        "an API key has to have {} characters or more, made by chance: it is stored as a hash without salt",
        limits::API_KEY_BYTES
    )]
    Short,
    /// The key is too long.
    #[error("an API key can't have more than {} characters", limits::VALUE_BYTES)]
    Long,
    /// The key has characters that can't be sent as a bearer credential.
    #[error("an API key has letters, digits and -._~+/ only")]
    Characters,
}

/// Returns the SHA-256 that the config has in place of an API key.
///
/// # Errors
///
/// When the key is so short that it could be guessed from its hash, too long, or can't be sent as a bearer credential.
pub fn hash_api_key(key: &str) -> Result<Sha256, UnfitKey> {
    if key.len() < limits::API_KEY_BYTES {
        return Err(UnfitKey::Short);
    }
    if key.len() > limits::VALUE_BYTES {
        return Err(UnfitKey::Long);
    }
    headers::token68(key.as_bytes()).ok_or(UnfitKey::Characters)?;
    Ok(Sha256(sha256(key.as_bytes())))
}

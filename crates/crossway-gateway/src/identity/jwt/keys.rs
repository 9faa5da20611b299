//! JWK sets: the public keys of an authorization server (RFC 7517).

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::identity::limits;

/// Why a JWK set can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// The set's text is too long.
    #[error("it has more than {} bytes", limits::JWKS_BYTES)]
    TooLong,
    /// The text is not a JWK set.
    #[error("it is no JWK set, which is JSON with a list of keys under \"keys\"")]
    NotAJwkSet,
    /// The set has too many keys.
    #[error("it has more than {} keys", limits::JWKS_KEYS)]
    TooMany,
    /// No key of the set can verify a signature of the accepted algorithms.
    #[error("none of its keys can verify a signature of the configured algorithms")]
    NoKey,
}

/// The keys of a set that can verify signatures of the accepted algorithms.
///
/// Keys of other kinds and uses are ignored, as RFC 7517, section 5 says: a set may have keys for other purposes. Secrets (`oct`)
/// never become keys.
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// The set's text, for comparison with a newer one.
    text: Box<[u8]>,
    /// The number of sets that came before this one.
    pub(super) number: u64,
}

struct Key {
    id: Option<Box<str>>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// A key of a JWK set, with the members that are used here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Parses a JWK set.
    pub(super) fn parse(text: &[u8], accepted: &[Algorithm]) -> Result<Self, JwksError> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        if text.len() > limits::JWKS_BYTES {
            return Err(JwksError::TooLong);
        }
        let Jwks { keys } = serde_json::from_slice(text).map_err(|_| JwksError::NotAJwkSet)?;
        if keys.len() > limits::JWKS_KEYS {
            return Err(JwksError::TooMany);
        }
        let readable = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<Key> = readable.flat_map(|jwk| jwk.keys(accepted)).collect();
        if keys.is_empty() {
            return Err(JwksError::NoKey);
        }
        Ok(Self { keys, text: text.into(), number: 0 })
    }

    /// Whether this set was parsed from this text.
    pub(super) fn is_of(&self, text: &[u8]) -> bool {
        *self.text == *text
    }

    /// Returns the key for a token's key id and algorithm. Without an id, the algorithm must have exactly one key.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fit = self
            .keys
            .iter()
            .filter(|key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id));
        let found = fit.next()?;
        (id.is_some() || fit.next().is_none()).then_some(&found.key)
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.keys.len()).field("number", &self.number).finish()
    }
}

impl Jwk {
    /// Returns this key once for each accepted algorithm that it is for.
    fn keys(&self, accepted: &[Algorithm]) -> Vec<Key> {
        let is_for_signatures = self.used_for.as_deref().is_none_or(|used| used == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let Some(key) = self.key().filter(|_| is_for_signatures) else { return Vec::new() };
        let fit = accepted.iter().filter(|algorithm| self.is_for(**algorithm));
        let id = self.kid.as_deref().map(Box::from);
        fit.map(|algorithm| Key { id: id.clone(), algorithm: *algorithm, key: key.clone() }).collect()
    }

    /// Whether the key is of the algorithm's kind, and its `alg`, if there is one, names this algorithm (section 4.4).
    fn is_for(&self, algorithm: Algorithm) -> bool {
        let (kind, curve) = match algorithm {
            Algorithm::ES256 => ("EC", Some("P-256")),
            Algorithm::ES384 => ("EC", Some("P-384")),
            Algorithm::EdDSA => ("OKP", Some("Ed25519")),
            _ => ("RSA", None),
        };
        // RFC 9864 gives EdDSA on this curve a separate name.
        let is_named = |name: &str| {
            name.parse() == Ok(algorithm) || (name == "Ed25519" && algorithm == Algorithm::EdDSA)
        };
        self.kty == kind
            && (curve.is_none() || self.crv.as_deref() == curve)
            && self.alg.as_deref().is_none_or(is_named)
    }

    fn key(&self) -> Option<DecodingKey> {
        match self.kty.as_str() {
            "RSA" => DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?).ok(),
            "EC" => DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?).ok(),
            "OKP" => DecodingKey::from_ed_components(self.x.as_deref()?).ok(),
            _ => None,
        }
    }
}

//! Verifies signed tokens: the signature and the claims.

mod cache;
mod claims;
mod ring_provider;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::refusal::Flaw;

pub(super) use cache::{Cache, Remembered};
pub(super) use claims::{Lifetime, Texts, UnixTime};

/// The claims of a token whose signature was verified.
pub(super) type Claims = Map<String, Value>;

/// Prepares this process for verifying tokens.
pub(super) fn prepare() {
    ring_provider::install();
}

/// Reads a token's header, which is not verified yet.
///
/// Keys and URLs of keys in it (`jwk`, `jku`, `x5c`, `x5u`) are never used: the signer would choose the key.
pub(super) fn header(token: &str) -> Result<Header, Flaw> {
    let header = decode_header(token).map_err(|error| match error.kind() {
        // `none`, and everything else that is not an algorithm.
        ErrorKind::Json(error) if error.is_data() => Flaw::Algorithm,
        _ => Flaw::NotAToken,
    })?;
    // "If any of the listed extension Header Parameters are not understood and supported by the recipient, then the
    // JWS is invalid" (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err(Flaw::NotAToken);
    }
    Ok(header)
}

/// Verifies that a token was signed with this key by exactly this algorithm, and returns its claims.
pub(super) fn verified(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, Flaw> {
    let mut validation = Validation::new(algorithm);
    // Issuer, audience and lifetime are checked by our own code, with the time passed in.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    match decode::<Claims>(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Flaw::Algorithm,
            ErrorKind::InvalidSignature | ErrorKind::Base64(_) => Flaw::Signature,
            _ => Flaw::NotAToken,
        }),
    }
}

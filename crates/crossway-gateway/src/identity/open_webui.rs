//! The proof `open-webui-jwt`: Open WebUI's signed user header and its connection key.

use std::time::Duration;

use crossway_policy::{Principal, Proof};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::caller::Caller;
use super::config::OpenWebUiJwtConfig;
use super::error::{IdentityError, IdentityWarning};
use super::key::{self, ConnectionKey};
use super::refusal::{Credential, Flaw, Refusal};
use super::text::is_email;
use super::token::{self, Cache, Claims, Lifetime, Remembered, Texts};
use super::{Asked, headers, limits, session};
use crate::secret::Secret;

/// The issuer in Open WebUI's statements.
pub(super) const ISSUER: &str = "open-webui";

/// The proof `open-webui-jwt`.
#[derive(Debug)]
pub(super) struct OpenWebUi {
    secrets: Vec<DecodingKey>,
    key: ConnectionKey,
    leeway: Duration,
    session_leeway: Duration,
    cache: Cache,
}

impl OpenWebUi {
    pub(super) fn new(config: &OpenWebUiJwtConfig) -> Result<Self, IdentityError> {
        key::some(&config.secret, "secret")?;
        if config.secret.iter().any(Secret::is_empty) {
            return Err(IdentityError::Empty("secret"));
        }
        let secrets = config.secret.iter().map(|secret| secret.expose().as_bytes());
        token::prepare();
        Ok(Self {
            secrets: secrets.map(DecodingKey::from_secret).collect(),
            key: ConnectionKey::new(&config.connection_key, "connection_key")?,
            leeway: super::leeway(config.leeway_seconds)?,
            session_leeway: super::seconds(
                "session_leeway_seconds",
                config.session_leeway_seconds,
                limits::SESSION_LEEWAY_AT_MOST,
            )?,
            cache: Cache::new(limits::CACHED_TOKENS),
        })
    }

    pub(super) fn warnings(config: &OpenWebUiJwtConfig) -> Vec<IdentityWarning> {
        let keys = key::short(&config.connection_key, "connection_key");
        key::short(&config.secret, "secret").chain(keys).collect()
    }

    /// Returns the user whom Open WebUI has signed, or `None` if it names no user.
    pub(super) fn check(&self, asked: &Asked<'_>) -> Result<Option<Caller>, Refusal> {
        self.key.check(asked)?;
        let name = headers::USER_JWT;
        let Some(value) = headers::one(asked.headers, &name, limits::TOKEN_BYTES)? else { return Ok(None) };
        let token = headers::token68(value.as_bytes()).ok_or(Refusal::Malformed(name))?;
        self.caller(token, asked).map(Some).map_err(|flaw| Refusal::NotAccepted(Credential::Statement, flaw))
    }

    fn caller(&self, token: &str, asked: &Asked<'_>) -> Result<Caller, Flaw> {
        let sum = asked.connection.sums().of_statement(token.as_bytes());
        let found = self.cache.find(&sum);
        let is_new = found.is_none();
        let remembered = match found {
            Some(remembered) => remembered,
            None => self.verify(token)?,
        };
        let late = if session::is_within_one(asked) { self.session_leeway } else { Duration::ZERO };
        remembered.lifetime.check(asked.now, self.leeway, late)?;
        if is_new {
            self.cache.remember(sum, remembered.clone());
        }
        Ok(remembered.caller)
    }

    /// Returns the claims if one of the secrets verifies the token.
    fn signed(&self, token: &str) -> Result<Claims, Flaw> {
        let mut flaw = Flaw::Signature;
        for secret in &self.secrets {
            match token::verified(token, secret, Algorithm::HS256) {
                Ok(claims) => return Ok(claims),
                Err(why) => flaw = why,
            }
        }
        Err(flaw)
    }

    fn verify(&self, token: &str) -> Result<Remembered, Flaw> {
        if token::header(token)?.alg != Algorithm::HS256 {
            return Err(Flaw::Algorithm);
        }
        let claims = self.signed(token)?;
        if claims.get("iss").and_then(|issuer| issuer.as_str()) != Some(ISSUER) {
            return Err(Flaw::Issuer);
        }
        let lifetime = Lifetime::of(&claims)?;
        Ok(Remembered { caller: Caller::new(principal(&claims)?), lifetime, keys: 0 })
    }
}

fn principal(claims: &Claims) -> Result<Principal, Flaw> {
    let subject = Texts::required(claims.get("sub"))?;
    let mut principal = Principal::new(ISSUER, subject, Proof::SignedHeader);
    if let Some(email) = Texts::optional(claims.get("email"))? {
        principal = principal.with_email(Some(email).filter(|email| is_email(email)).ok_or(Flaw::Claim)?);
    }
    if let Some(name) = claims.get("name").and_then(|name| Texts::optional(Some(name)).ok()).flatten() {
        principal = principal.with_name(name);
    }
    Ok(principal.with_roles(Texts::optional(claims.get("role"))?))
}

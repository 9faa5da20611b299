//! The proof `jwt`: access tokens as bearer.

mod claims;
mod config;
mod keys;
mod metadata;
mod remote;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossway_dial::Proxies;
use jsonwebtoken::Algorithm;

use self::claims::Mapping;
use self::keys::KeySet;
use self::metadata::Metadata;
use self::remote::Remote;
use super::caller::Caller;
use super::error::{IdentityError, IdentityWarning};
use super::refusal::{Credential, Flaw, Refusal};
use super::token::{self, Cache, Lifetime, Remembered};
use super::{Asked, headers, limits};
use crate::metrics::Metrics;

pub(super) use metadata::challenge;

pub use config::{ClaimNames, JwtAlgorithm, JwtConfig};
pub use keys::JwksError;

/// The proof `jwt`.
#[derive(Debug)]
pub(super) struct Jwt {
    issuer: String,
    audience: Vec<String>,
    scopes: Vec<String>,
    keys: Keys,
    algorithms: Vec<Algorithm>,
    mapping: Mapping,
    leeway: Duration,
    cache: Cache,
    metadata: Option<Metadata>,
}

/// The issuer's keys, by their source.
#[derive(Debug)]
enum Keys {
    File(Arc<KeySet>),
    Url(Arc<Remote>),
}

impl Jwt {
    /// Checks the config, and reads the file of keys if there is one.
    pub(super) fn new(config: &JwtConfig) -> Result<Self, IdentityError> {
        let issuer = super::name("issuer", &config.issuer)?.to_owned();
        names("audience", &config.audience)?;
        names("scopes", &config.scopes)?;
        if config.audience.is_empty() {
            return Err(IdentityError::Empty("audience"));
        }
        if config.algorithms.is_empty() {
            return Err(IdentityError::Empty("algorithms"));
        }
        let is_scope = |scope: &String| {
            scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        };
        if let Some(bad) = config.scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(IdentityError::NotAScope(bad.clone()));
        }
        token::prepare();
        let mut algorithms: Vec<Algorithm> = Vec::new();
        for algorithm in config.algorithms.iter().map(|name| name.algorithm()) {
            // With a duplicate, each key would fit twice, and none would be the only one.
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
        let keys = match (&config.jwks_file, &config.jwks_url) {
            (Some(file), None) => Keys::File(Arc::new(from_file(file, &algorithms)?)),
            (None, Some(url)) => {
                let remote = Remote::new(&jwks_url(url)?, algorithms.clone());
                Keys::Url(remote.map_err(|_| IdentityError::BadKeysUrl)?)
            }
            _ => return Err(IdentityError::OneJwks),
        };
        Ok(Self {
            issuer,
            audience: config.audience.clone(),
            scopes: config.scopes.clone(),
            keys,
            algorithms,
            mapping: Mapping::new(&config.claims)?,
            leeway: super::leeway(config.leeway_seconds)?,
            cache: Cache::new(limits::CACHED_TOKENS),
            metadata: Metadata::new(config)?,
        })
    }

    pub(super) fn warnings(config: &JwtConfig) -> Vec<IdentityWarning> {
        if config.resource.is_none() { vec![IdentityWarning::NoResource] } else { Vec::new() }
    }

    /// The metadata that tells clients where to get a token, if `resource` is configured.
    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// Starts to fetch the keys from their URL. Keys that were [taken over](Self::take_over) are fetched already.
    pub(super) fn start(&self, metrics: &Metrics, proxies: &Proxies) {
        if let Keys::Url(remote) = &self.keys {
            remote.start(metrics.clone(), proxies.clone());
        }
    }

    /// Shares the keys of the previous proof if both fetch them from the same URL for the same algorithms.
    pub(super) fn take_over(&mut self, before: &Self) {
        if let (Keys::Url(ours), Keys::Url(theirs)) = (&mut self.keys, &before.keys)
            && ours.is_like(theirs)
        {
            *ours = Arc::clone(theirs);
        }
    }

    /// Waits until there are keys.
    pub(super) async fn keys_there(&self) {
        if let Keys::Url(remote) = &self.keys {
            remote.there().await;
        }
    }

    /// Returns a future to wait for if newer keys can be fetched, for a token whose key is unknown.
    pub(super) fn newer_keys(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        match &self.keys {
            Keys::Url(remote) if remote.may_learn() => {
                let remote = Arc::clone(remote);
                Some(async move { remote.refreshed().await })
            }
            _ => None,
        }
    }

    /// Returns the caller whom the token identifies, or `None` if there is no token.
    pub(super) fn check(&self, asked: &Asked<'_>) -> Result<Option<Caller>, Refusal> {
        let token = headers::bearer(asked.headers, Credential::Token, limits::TOKEN_BYTES)?;
        let Some(token) = token else { return Ok(None) };
        let keys = match &self.keys {
            Keys::File(keys) => Arc::clone(keys),
            Keys::Url(remote) => remote.keys().ok_or(Refusal::NoKeys)?,
        };
        let sum = asked.connection.sums().of_bearer(token.as_bytes());
        // A token that was verified with keys that have since been replaced is verified again.
        if let Some(found) = self.cache.find(&sum).filter(|remembered| remembered.keys == keys.number) {
            self.check_lifetime(found.lifetime, asked)?;
            return Ok(Some(found.caller));
        }
        let verified = self.verify(token, &keys, asked)?;
        let caller = verified.caller.clone();
        self.cache.remember(sum, verified);
        Ok(Some(caller))
    }

    fn check_lifetime(&self, lifetime: Lifetime, asked: &Asked<'_>) -> Result<(), Refusal> {
        let checked = lifetime.check(asked.now, self.leeway, Duration::ZERO);
        checked.map_err(|flaw| Refusal::NotAccepted(Credential::Token, flaw))
    }

    fn verify(&self, token: &str, keys: &KeySet, asked: &Asked<'_>) -> Result<Remembered, Refusal> {
        let not_accepted = |flaw| Refusal::NotAccepted(Credential::Token, flaw);
        let header = token::header(token).map_err(not_accepted)?;
        if !self.algorithms.contains(&header.alg) {
            return Err(not_accepted(Flaw::Algorithm));
        }
        if !is_access_token(header.typ.as_deref()) {
            return Err(not_accepted(Flaw::NotAToken));
        }
        let key = keys.find(header.kid.as_deref(), header.alg).ok_or(not_accepted(Flaw::UnknownKey))?;
        let claims = token::verified(token, key, header.alg).map_err(not_accepted)?;
        if claims.get("iss").and_then(|issuer| issuer.as_str()) != Some(&self.issuer) {
            return Err(not_accepted(Flaw::Issuer));
        }
        if !claims::is_for(&claims, &self.audience) {
            return Err(not_accepted(Flaw::Audience));
        }
        let lifetime = Lifetime::of(&claims).map_err(not_accepted)?;
        // Checked before the scopes, because more scopes would not help an expired token.
        self.check_lifetime(lifetime, asked)?;
        if !claims::has_scopes(&claims, &self.scopes) {
            return Err(Refusal::LacksScope);
        }
        let principal = self.mapping.principal(&self.issuer, &claims).map_err(not_accepted)?;
        Ok(Remembered { caller: Caller::new(principal), lifetime, keys: keys.number })
    }
}

/// Whether the token's type is that of an access token, or absent (RFC 9068, section 4; RFC 8725, section 3.11). Logout tokens and
/// proofs of possession are not accepted.
fn is_access_token(kind: Option<&str>) -> bool {
    let Some(kind) = kind else { return true };
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

/// Checks a list of names in the config.
fn names(field: &'static str, texts: &[String]) -> Result<(), IdentityError> {
    if texts.len() > limits::JWT_NAMES {
        return Err(IdentityError::TooMuch { field, at_most: limits::JWT_NAMES as u64 });
    }
    texts.iter().try_for_each(|text| super::name(field, text).map(drop))
}

fn from_file(file: &Path, accepted: &[Algorithm]) -> Result<KeySet, IdentityError> {
    let mut text = Vec::new();
    let read = File::open(file).and_then(|opened| {
        // One byte over the bound, so that a longer file is noticed.
        opened.take(limits::JWKS_BYTES as u64 + 1).read_to_end(&mut text)
    });
    read.map_err(|source| IdentityError::KeyFile { path: file.to_owned(), source })?;
    KeySet::parse(&text, accepted).map_err(|source| IdentityError::Keys { path: file.to_owned(), source })
}

/// Parses the URL of keys. Plain HTTP is allowed on this machine only, since anybody could answer in between.
fn jwks_url(text: &str) -> Result<url::Url, IdentityError> {
    let url = url::Url::parse(text).map_err(|_| IdentityError::BadKeysUrl)?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    if is_plain && is_safe { Ok(url) } else { Err(IdentityError::BadKeysUrl) }
}

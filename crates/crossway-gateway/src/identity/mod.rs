//! The identity edge: turns a request's headers into a [`Principal`], or refuses the request.
//!
//! One proof is configured ([`IdentityConfig`]); every request has to give it, and a request with headers of another proof is
//! refused. Behind the edge, no header names the caller: [`Identified`] removes these headers, and puts the principal and the
//! owner of its sessions into the request's extensions.
//!
//! [`Identity::check`] reads no clock and does no I/O: the time and the connection's facts are passed in.

mod api_keys;
mod caller;
mod config;
mod connection;
mod error;
mod headers;
mod jwt;
mod key;
mod limits;
mod open_webui;
mod plain;
mod refusal;
mod said;
mod service;
mod session;
mod sums;
#[cfg(test)]
mod tests;
mod text;
mod token;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossway_dial::Proxies;
use crossway_policy::Principal;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use self::api_keys::ApiKeys;
use self::jwt::Jwt;
use self::open_webui::OpenWebUi;
use self::plain::Plain;
use self::token::UnixTime;
use crate::metrics::Metrics;

pub use api_keys::{UnfitKey, hash_api_key};
pub use caller::Caller;
pub use config::*;
pub use connection::Connection;
pub use error::{IdentityError, IdentityWarning};
pub use jwt::{ClaimNames, JwksError, JwtAlgorithm, JwtConfig};
pub use refusal::{Credential, Flaw, Refusal};
pub use said::Said;
pub(crate) use service::{Authenticator, Unauthenticated};
pub use service::{Identified, IdentifiedBody, IdentifiedFuture};

/// Identifies callers by the configured proof. Clones share the cache.
#[derive(Debug, Clone)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    proof: Proof,
    /// The issuer of all callers except anonymous ones.
    issuer: String,
    /// The credential to ask for if there is no proof; `None` if such callers are anonymous.
    wanted: Option<Credential>,
    anonymous: Caller,
    /// The headers of this proof, except `Authorization`.
    own: Vec<HeaderName>,
    /// The headers of all other proofs.
    foreign: headers::Names,
    /// All headers that can identify a caller.
    of_callers: headers::Names,
}

#[derive(Debug)]
enum Proof {
    Jwt(Box<Jwt>),
    OpenWebUi(OpenWebUi),
    Plain(Plain),
    ApiKeys(ApiKeys),
    None,
}

/// The parts of a request that proofs are checked against.
struct Asked<'a> {
    headers: &'a HeaderMap,
    uri: &'a Uri,
    connection: &'a Connection,
    now: UnixTime,
}

impl Identity {
    /// Creates the edge from its config. Reads the file of an authorization server's keys, if there is one, and makes no request.
    ///
    /// # Errors
    ///
    /// When the config can't be meant: an empty secret, an open fence, a header with two meanings, or unusable keys.
    pub fn new(config: &IdentityConfig) -> Result<Self, IdentityError> {
        let (proof, wanted, own) = match config {
            IdentityConfig::Jwt(config) => {
                let wanted = (!config.anonymous).then_some(Credential::Token);
                (Proof::Jwt(Box::new(Jwt::new(config)?)), wanted, Vec::new())
            }
            IdentityConfig::OpenWebUiJwt(config) => {
                let wanted = (!config.anonymous).then_some(Credential::Statement);
                (Proof::OpenWebUi(OpenWebUi::new(config)?), wanted, vec![headers::USER_JWT])
            }
            IdentityConfig::Headers(config) => {
                let wanted = (!config.anonymous).then_some(Credential::Headers);
                let plain = Plain::new(config)?;
                let own = plain.headers();
                (Proof::Plain(plain), wanted, own)
            }
            IdentityConfig::ApiKeys(config) => {
                let wanted = (!config.anonymous).then_some(Credential::ApiKey);
                (Proof::ApiKeys(ApiKeys::new(config)?), wanted, vec![headers::API_KEY])
            }
            IdentityConfig::None(_) => (Proof::None, None, Vec::new()),
        };
        let mut foreign: Vec<HeaderName> =
            headers::OF_SOME_PROOF.iter().filter(|name| !own.contains(name)).cloned().collect();
        if matches!(proof, Proof::None) {
            foreign.push(http::header::AUTHORIZATION);
        }
        let anonymous = Caller::new(Principal::anonymous());
        let of_callers = headers::Names::of_callers(&own);
        let foreign = foreign.into_iter().collect();
        let issuer = config.issuer().to_owned();
        Ok(Self(Arc::new(Inner { proof, issuer, wanted, anonymous, own, foreign, of_callers })))
    }

    /// Returns the caller who sent `request` on `connection`, as of `now`.
    ///
    /// # Errors
    ///
    /// When a required proof is missing, when the proof is invalid, or when there are headers of another proof.
    pub fn check(
        &self,
        request: &Parts,
        connection: &Connection,
        now: SystemTime,
    ) -> Result<Caller, Refusal> {
        let inner = &*self.0;
        let headers = &request.headers;
        headers::no_look_alikes(headers, &inner.own)?;
        let asked = Asked { headers, uri: &request.uri, connection, now: now.into() };
        let caller = match &inner.proof {
            Proof::Jwt(proof) => proof.check(&asked)?,
            Proof::OpenWebUi(proof) => proof.check(&asked)?,
            Proof::Plain(proof) => proof.check(&asked)?,
            Proof::ApiKeys(proof) => proof.check(&asked)?,
            Proof::None => None,
        };
        inner.foreign.none_in(headers)?;
        match (caller, inner.wanted) {
            (Some(caller), _) => Ok(caller),
            (None, None) => Ok(inner.anonymous.clone()),
            (None, Some(credential)) => Err(Refusal::Missing(credential)),
        }
    }

    /// The issuer of all identified callers; empty for the proof `none`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The configured proof's name in the config.
    #[must_use]
    pub fn proof(&self) -> &'static str {
        match self.0.proof {
            Proof::Jwt(_) => "jwt",
            Proof::OpenWebUi(_) => "open-webui-jwt",
            Proof::Plain(_) => "headers",
            Proof::ApiKeys(_) => "api-keys",
            Proof::None => "none",
        }
    }

    /// Starts to fetch the keys of an authorization server, if they are at a URL, until the last clone is dropped. Has to be called
    /// within a runtime; without it, no token is accepted. The keys are fetched through these outgoing proxies.
    pub fn start(&self, metrics: &Metrics, proxies: &Proxies) {
        if let Proof::Jwt(proof) = &self.0.proof {
            proof.start(metrics, proxies);
        }
    }

    /// Takes over the keys of the same authorization server from the previous edge. Does nothing once this one has clones.
    pub fn take_over(&mut self, before: &Self) {
        if let Some(inner) = Arc::get_mut(&mut self.0)
            && let (Proof::Jwt(ours), Proof::Jwt(theirs)) = (&mut inner.proof, &before.0.proof)
        {
            ours.take_over(theirs);
        }
    }

    /// Waits until the keys that are needed to accept anybody were read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn keys_there(&self) {
        if let Proof::Jwt(proof) = &self.0.proof {
            proof.keys_there().await;
        }
    }

    /// Returns a future to wait for before checking a refused request again, if that could succeed then.
    fn worth_waiting(&self, refusal: &Refusal) -> Option<impl Future<Output = ()> + Send + use<>> {
        match &self.0.proof {
            Proof::Jwt(proof) if refusal.is_of_missing_keys() => proof.newer_keys(),
            _ => None,
        }
    }

    /// Returns the response with protected resource metadata, if the request is for its path (RFC 9728).
    fn metadata_at(&self, request: &Parts) -> Option<(StatusCode, String)> {
        match &self.0.proof {
            Proof::Jwt(proof) => proof.metadata()?.at(&request.method, request.uri.path()),
            _ => None,
        }
    }

    /// Returns a refusal's challenge: "the server [..] MUST include the HTTP \"WWW-Authenticate\" response header field" (RFC 6750, section
    /// 3).
    fn challenge(&self, refusal: &Refusal, path: &str) -> Option<HeaderValue> {
        let is_challenge = refusal.status() == StatusCode::UNAUTHORIZED || *refusal == Refusal::LacksScope;
        is_challenge.then(|| match &self.0.proof {
            Proof::Jwt(proof) => jwt::challenge(proof.metadata(), refusal, path),
            _ => HeaderValue::from_static("Bearer"),
        })
    }

    /// Removes every header that can identify a caller.
    pub fn strip(&self, headers: &mut HeaderMap) {
        self.0.of_callers.strip(headers);
    }
}

impl IdentityConfig {
    /// Returns warnings about settings that work, but are unwise.
    #[must_use]
    pub fn warnings(&self) -> Vec<IdentityWarning> {
        match self {
            Self::Jwt(config) => Jwt::warnings(config),
            Self::OpenWebUiJwt(config) => OpenWebUi::warnings(config),
            Self::Headers(config) => Plain::warnings(config),
            Self::ApiKeys(_) => Vec::new(),
            Self::None(_) => vec![IdentityWarning::NoProof],
        }
    }
}

/// Checks that a text of the config is a name.
fn name<'a>(field: &'static str, text: &'a str) -> Result<&'a str, IdentityError> {
    match text {
        "" => Err(IdentityError::Empty(field)),
        text if text::is_name(text) => Ok(text),
        _ => Err(IdentityError::NotAName(field)),
    }
}

fn leeway(given: u64) -> Result<Duration, IdentityError> {
    seconds("leeway_seconds", given, limits::LEEWAY_AT_MOST)
}

fn seconds(field: &'static str, seconds: u64, at_most: Duration) -> Result<Duration, IdentityError> {
    if seconds > at_most.as_secs() {
        return Err(IdentityError::TooMuch { field, at_most: at_most.as_secs() });
    }
    Ok(Duration::from_secs(seconds))
}

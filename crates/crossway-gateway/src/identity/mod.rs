//! The identity edge: turns a request's headers into a [`Principal`], or refuses the request.
//!
//! One proof is configured ([`IdentityConfig`]); every request has to give it, and headers of another proof are refused
//! rather than looked at. Behind the edge nobody sees a header that says who calls: [`Identified`] takes them away, and
//! puts the principal and the owner of its sessions into the request's extensions.
//!
//! [`Identity::check`] reads no clock and does no I/O: the time and what is known of the connection are passed in.

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

/// Finds out who calls, by the one proof that is configured. Clones share what is remembered.
#[derive(Debug, Clone)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    proof: Proof,
    /// Who says so, of all callers but the anonymous.
    issuer: String,
    /// What to tell those who give no proof; `None` where they are anonymous.
    wanted: Option<Credential>,
    anonymous: Caller,
    /// The headers of this proof that no other one has.
    own: Vec<HeaderName>,
    /// The headers of all other proofs.
    foreign: headers::Names,
    /// All headers that say who calls.
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

/// What a proof is made of.
struct Asked<'a> {
    headers: &'a HeaderMap,
    uri: &'a Uri,
    connection: &'a Connection,
    now: UnixTime,
}

impl Identity {
    /// The edge that the file describes. Reads the file of an authorization server's keys, if they are in one, and asks nobody.
    ///
    /// # Errors
    ///
    /// When the file can't be meant: an empty secret, a fence that is open, two meanings of one header, keys that can't be used.
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

    /// Who has sent a request on a connection at a time.
    ///
    /// # Errors
    ///
    /// When there is no proof and there has to be one, when it doesn't hold, or when there is more than the one proof.
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

    /// The issuer of all callers who prove who they are; empty where nobody can.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The proof that is configured, as the config calls it.
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

    /// Begins to ask for the keys of an authorization server, if they are at a URL, until the last clone is gone. Has to be called
    /// within a runtime; without it no token is accepted. They are asked for through these outgoing proxies.
    pub fn start(&self, metrics: &Metrics, proxies: &Proxies) {
        if let Proof::Jwt(proof) = &self.0.proof {
            proof.start(metrics, proxies);
        }
    }

    /// Takes over from the edge before this one what can be: the keys of the same authorization server. Does nothing once there are
    /// clones.
    pub fn take_over(&mut self, before: &Self) {
        if let Some(inner) = Arc::get_mut(&mut self.0)
            && let (Proof::Jwt(ours), Proof::Jwt(theirs)) = (&mut inner.proof, &before.0.proof)
        {
            ours.take_over(theirs);
        }
    }

    /// Waits until all keys are there without which nobody is let in.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn keys_there(&self) {
        if let Proof::Jwt(proof) = &self.0.proof {
            proof.keys_there().await;
        }
    }

    /// What to wait for before a request is checked once more that was refused, if that can be of use.
    fn worth_waiting(&self, refusal: &Refusal) -> Option<impl Future<Output = ()> + Send + use<>> {
        match &self.0.proof {
            Proof::Jwt(proof) if refusal.is_of_missing_keys() => proof.newer_keys(),
            _ => None,
        }
    }

    /// What clients are told at a path of who can give them a proof, if this is such a path (RFC 9728).
    fn metadata_at(&self, request: &Parts) -> Option<(StatusCode, String)> {
        match &self.0.proof {
            Proof::Jwt(proof) => proof.metadata()?.at(&request.method, request.uri.path()),
            _ => None,
        }
    }

    /// The challenge of a refusal: "the server [..] MUST include the HTTP \"WWW-Authenticate\" response header field" (RFC 6750, section
    /// 3).
    fn challenge(&self, refusal: &Refusal, path: &str) -> Option<HeaderValue> {
        let is_challenge = refusal.status() == StatusCode::UNAUTHORIZED || *refusal == Refusal::LacksScope;
        is_challenge.then(|| match &self.0.proof {
            Proof::Jwt(proof) => jwt::challenge(proof.metadata(), refusal, path),
            _ => HeaderValue::from_static("Bearer"),
        })
    }

    /// Takes away every header that says who calls.
    pub fn strip(&self, headers: &mut HeaderMap) {
        self.0.of_callers.strip(headers);
    }
}

impl IdentityConfig {
    /// What works, and is unwise.
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

/// A text of the file that names somebody.
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

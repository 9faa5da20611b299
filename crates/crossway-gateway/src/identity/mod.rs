//! Who calls: the edge at which a request's headers become a [`Principal`], or an answer
//! that says no.
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
mod key;
mod limits;
mod open_webui;
mod plain;
mod refusal;
mod service;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod token;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossway_policy::Principal;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};

use self::api_keys::ApiKeys;
use self::open_webui::OpenWebUi;
use self::plain::Plain;
use self::token::UnixTime;

pub use api_keys::{UnfitKey, hash_api_key};
pub use caller::Caller;
pub use config::*;
pub use connection::Connection;
pub use error::{IdentityError, IdentityWarning};
pub use refusal::{Credential, Flaw, Refusal};
pub use service::{Identified, IdentifiedBody, IdentifiedFuture};

/// Finds out who calls, by the one proof that is configured. Clones share what is remembered.
#[derive(Debug, Clone)]
pub struct Identity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    proof: Proof,
    /// What to tell those who give no proof; `None` where they are anonymous.
    wanted: Option<Credential>,
    anonymous: Caller,
    /// The headers of this proof that no other one has.
    own: Vec<HeaderName>,
    /// The headers of all other proofs.
    foreign: Vec<HeaderName>,
}

#[derive(Debug)]
enum Proof {
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
    /// The edge that the file describes. Reads no file and asks nobody.
    ///
    /// # Errors
    ///
    /// When the file can't be meant: an empty secret, a fence that is open, two meanings of one header.
    pub fn new(config: &IdentityConfig) -> Result<Self, IdentityError> {
        let (proof, wanted, own) = match config {
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
            headers::OF_SOME_PROOF.into_iter().filter(|name| !own.contains(name)).collect();
        if matches!(proof, Proof::None) {
            foreign.push(http::header::AUTHORIZATION);
        }
        let anonymous = Caller::new(Principal::anonymous());
        Ok(Self(Arc::new(Inner { proof, wanted, anonymous, own, foreign })))
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
            Proof::OpenWebUi(proof) => proof.check(&asked)?,
            Proof::Plain(proof) => proof.check(&asked)?,
            Proof::ApiKeys(proof) => proof.check(&asked)?,
            Proof::None => None,
        };
        headers::none_of(headers, &inner.foreign)?;
        match (caller, inner.wanted) {
            (Some(caller), _) => Ok(caller),
            (None, None) => Ok(inner.anonymous.clone()),
            (None, Some(credential)) => Err(Refusal::Missing(credential)),
        }
    }

    /// The proof that is configured, as the config calls it.
    #[must_use]
    pub fn proof(&self) -> &'static str {
        match self.0.proof {
            Proof::OpenWebUi(_) => "open-webui-jwt",
            Proof::Plain(_) => "headers",
            Proof::ApiKeys(_) => "api-keys",
            Proof::None => "none",
        }
    }

    /// Takes away every header that says who calls.
    pub fn strip(&self, headers: &mut HeaderMap) {
        headers::strip(headers, &self.0.own);
    }
}

impl IdentityConfig {
    /// What works, and is unwise.
    #[must_use]
    pub fn warnings(&self) -> Vec<IdentityWarning> {
        match self {
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

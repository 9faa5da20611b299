//! What upstreams are sent for a caller: the only place where a secret is read.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossway_policy::{Credential, CredentialMissing, MissingReason, Place, SecretSource};
use crossway_proto::{ErrorCode, ErrorObject, Message, RequestId};
use crossway_router::ScopeKey;
use crossway_service::{Ask, Call, Closing, Connection, Link, Reply, Scope, Upstream};
use http::{HeaderName, HeaderValue};
use ring::hmac;

use super::access::{Name, scope_key};
use super::ruling::Now;
use super::standing::{Standing, joined};
use crate::Secret;
use crate::config::file::ScopeFile;

/// How long a secret is taken to be the same: 1 s. A file that has changed is read again after that.
const KEEP: Duration = Duration::from_secs(1);

/// How many secrets are kept: 65,536. Then they are read anew.
const KEPT: usize = 65_536;

/// What one caller's connections to an upstream are made with. In the extensions of a call, and nowhere in a log.
#[derive(Clone, Default)]
pub(crate) struct Supplied(Arc<Values>);

#[derive(Default)]
pub(crate) struct Values {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) variables: Vec<(String, Secret)>,
}

impl Supplied {
    pub(crate) fn values(&self) -> &Values {
        &self.0
    }
}

impl fmt::Debug for Supplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supplied([redacted])")
    }
}

/// Reads secrets. Clones share what was read.
#[derive(Clone)]
pub(crate) struct Supply(Arc<Inner>);

struct Inner {
    /// Tells versions of secrets apart, without telling them.
    key: hmac::Key,
    read: Mutex<HashMap<SecretSource, (Instant, Option<Secret>)>>,
}

impl Supply {
    pub(crate) fn new() -> Result<Self, ring::error::Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new())?;
        Ok(Self(Arc::new(Inner { key, read: Mutex::default() })))
    }

    /// What these credentials are now, and a text that is another whenever they are.
    fn supply(&self, credentials: &[Credential]) -> Result<(Supplied, String), CredentialMissing> {
        let mut values = Values::default();
        let mut version = hmac::Context::with_key(&self.0.key);
        for credential in credentials {
            let secret = match credential.source().map(|source| self.secret(source)) {
                None => String::new(),
                Some(Some(secret)) => secret.expose().to_owned(),
                Some(None) if credential.is_required() => {
                    return Err(credential.missing(MissingReason::NoSecret));
                }
                Some(None) => continue,
            };
            let text = credential.render(&secret)?;
            version.update(joined(&[&credential.place().to_string(), &text]).as_bytes());
            match credential.place() {
                Place::Header(name) => {
                    let unfit = |_| credential.missing(MissingReason::Unfit);
                    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit(()))?;
                    let mut value = HeaderValue::from_str(&text).map_err(|_| unfit(()))?;
                    value.set_sensitive(true);
                    values.headers.push((name, value));
                }
                Place::Variable(name) => values.variables.push((name.to_string(), Secret::new(text))),
            }
        }
        let version: String =
            version.sign().as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((Supplied(Arc::new(values)), version))
    }

    fn secret(&self, source: &SecretSource) -> Option<Secret> {
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, secret)) = read.get(source)
            && when.elapsed() < KEEP
        {
            return secret.clone();
        }
        let secret = read_secret(source);
        if read.len() >= KEPT {
            read.clear();
        }
        read.insert(source.clone(), (Instant::now(), secret.clone()));
        secret
    }
}

fn read_secret(source: &SecretSource) -> Option<Secret> {
    let text = match source {
        SecretSource::Variable(name) => std::env::var(name).ok()?,
        SecretSource::File(path) => {
            let text = std::fs::read_to_string(path).ok()?;
            text.strip_suffix('\n')
                .map(|text| text.strip_suffix('\r').unwrap_or(text))
                .unwrap_or(&text)
                .to_owned()
        }
        _ => {
            tracing::error!(kind = source.kind(), "this source of secrets is not there yet");
            return None;
        }
    };
    (!text.is_empty()).then(|| Secret::new(text))
}

/// An upstream whose calls go to the instance of their caller's scope, with what is supplied for it.
pub(crate) struct Supplying<U> {
    name: Name,
    scope: ScopeFile,
    now: Now,
    supply: Supply,
    upstream: U,
}

impl<U: Upstream> Supplying<U> {
    pub(crate) fn new(name: Name, scope: ScopeFile, now: Now, supply: Supply, upstream: U) -> Self {
        Self { name, scope, now, supply, upstream }
    }
}

impl<U: Upstream> Upstream for Supplying<U> {
    fn connect(&self, scope: Scope) -> Link {
        let link = self.upstream.connect(scope);
        let (name, now, supply) = (self.name.clone(), self.now.clone(), self.supply.clone());
        Link::new(Supplier { name, scope: self.scope, now, supply, link })
    }
}

struct Supplier {
    name: Name,
    scope: ScopeFile,
    now: Now,
    supply: Supply,
    link: Link,
}

impl Connection for Supplier {
    fn call(&self, mut call: Call) -> Reply {
        let Some(standing) = call.context.extensions.get::<Standing>().cloned() else {
            return refused(&call, "nobody has said for whom this call is");
        };
        let ruling = self.now.get();
        let scope = ruling.scopes.get(&*self.name).copied().unwrap_or(self.scope);
        let rights = standing.rights();
        let supplied = ruling
            .standings
            .policy()
            .credentials(rights.principal(), rights.tenant(), &self.name)
            .and_then(|credentials| self.supply.supply(&credentials));
        match supplied {
            Ok((supplied, version)) => {
                let key = joined(&[scope_key(scope, &standing).as_str(), &version]);
                call.context.extensions.insert(ScopeKey::new(key));
                call.context.extensions.insert(supplied);
                self.link.call(call)
            }
            Err(missing) => {
                tracing::info!(upstream = &*self.name, why = %missing.reason(), "a call lacks a credential");
                let ask = missing.ask().unwrap_or("ask your administrator for access to it");
                refused(&call, &format!("{} needs a credential of yours: {ask}", self.name))
            }
        }
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}

/// What the caller is told who has to do something before the call can be made.
fn refused(call: &Call, why: &str) -> Reply {
    let Ask::Message(message) = &call.ask else { return Reply::silent() };
    let Some(id) = message.id().filter(|_| message.is_request()) else { return Reply::accepted() };
    refusal(&id, why).map_or_else(Reply::accepted, Reply::once)
}

fn refusal(id: &RequestId, why: &str) -> Option<Message> {
    Message::error_of(Some(id), &ErrorObject::new(ErrorCode::NOT_SENT, why.to_owned())).ok()
}

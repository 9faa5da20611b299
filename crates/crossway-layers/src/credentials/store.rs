//! A cache of secrets.

use std::fmt;
use std::sync::Arc;

use crossway_policy::config::Holder;
use crossway_policy::{Credential, Credentials, MissingReason, Place, SecretSource};
use crossway_service::later;
use foldhash::HashMap;
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use ring::{hmac, rand};
use tokio::time::Instant;

use super::source::{self, Read};
use super::supplied::Inner;
use super::{NamedSource, NotSupplied, SecretValue, SourceFailed, Supplied};
use crate::limits::{FILE_LOOK, SECRETS, SOURCE_TOLD};
use crate::stage::hex;

/// Reads secrets, and caches them for as long as they hold. Clones share the cache.
#[derive(Clone)]
pub struct SecretStore(Arc<Shared>);

struct Shared {
    /// The key for versions, which tell secrets apart without revealing them.
    key: hmac::Key,
    provided: Provided,
    sources: Mutex<HashMap<SecretSource, Arc<Slot>>>,
    /// The secrets of whole plans, each with the time until when it holds.
    by_plan: Mutex<HashMap<Credentials, (Supplied, Instant)>>,
    /// When a rule's failure was last logged.
    last_logged: Mutex<HashMap<(usize, SourceFailed), Instant>>,
}

/// The sources that this program provides.
pub(super) struct Provided {
    pub(super) named: HashMap<String, Arc<dyn NamedSource>>,
    #[cfg(feature = "broker")]
    pub(super) broker: super::broker::Broker,
}

/// What was last read from one source. The lock is held during a read, so that one read serves all who wait.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Option<(Read, Instant)>>);

impl SecretStore {
    /// A store with the sources that this program provides, by name. `None` if the system has no randomness.
    #[must_use]
    pub fn new<N: Into<String>>(named: impl IntoIterator<Item = (N, Arc<dyn NamedSource>)>) -> Option<Self> {
        Self::of(Provided {
            named: named.into_iter().map(|(name, source)| (name.into(), source)).collect(),
            #[cfg(feature = "broker")]
            broker: super::broker::Broker::default(),
        })
    }

    /// Like [`new`](Self::new); brokers are asked through these outgoing proxies.
    #[cfg(feature = "broker")]
    #[must_use]
    pub fn through<N: Into<String>>(
        proxies: crossway_dial::Proxies,
        named: impl IntoIterator<Item = (N, Arc<dyn NamedSource>)>,
    ) -> Option<Self> {
        Self::of(Provided {
            named: named.into_iter().map(|(name, source)| (name.into(), source)).collect(),
            broker: super::broker::Broker::through(proxies),
        })
    }

    fn of(provided: Provided) -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok()?;
        Some(Self(Arc::new(Shared {
            key,
            provided,
            sources: Mutex::default(),
            by_plan: Mutex::default(),
            last_logged: Mutex::default(),
        })))
    }

    /// The cached secrets, if they still hold.
    #[must_use]
    pub fn supplied_now(&self, credentials: &Credentials) -> Option<Supplied> {
        if credentials.is_empty() {
            return Some(Supplied::default());
        }
        self.cached(credentials).map(|(supplied, _)| supplied)
    }

    /// The cached secrets, and until when they hold.
    pub(super) fn cached(&self, credentials: &Credentials) -> Option<(Supplied, Instant)> {
        let by_plan = self.0.by_plan.lock();
        by_plan.get(credentials).filter(|(_, until)| Instant::now() < *until).cloned()
    }

    /// Whether both share one cache.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the secrets, from the cache or from their sources.
    ///
    /// # Errors
    ///
    /// When a required secret is missing, or a source does not work.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a command that is running is killed, and nothing else is lost.
    pub async fn supply(&self, credentials: &Credentials) -> Result<Supplied, NotSupplied> {
        if let Some(supplied) = self.supplied_now(credentials) {
            return Ok(supplied);
        }
        let (mut inner, mut until) = (Inner::default(), None);
        let mut version = hmac::Context::with_key(&self.0.key);
        for credential in credentials {
            let Some(text) = self.text(credential, &mut until).await? else { continue };
            for part in [credential.place().to_string().as_bytes(), text.expose().as_bytes()] {
                version.update(&(part.len() as u64).to_le_bytes());
                version.update(part);
            }
            match credential.place() {
                Place::Header(name) => {
                    let unfit = |_| credential.missing(MissingReason::Unfit);
                    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit(()))?;
                    HeaderValue::from_str(text.expose()).map_err(|_| unfit(()))?;
                    inner.headers.push((name, text));
                }
                Place::Query(name) => inner.query.push((Arc::clone(name), text)),
                Place::Variable(name) => inner.variables.push((Arc::clone(name), text)),
            }
        }
        let mut supplied = Supplied::default();
        if !inner.is_empty() {
            let tag = version.sign();
            let half = std::array::from_fn(|at| tag.as_ref()[at]);
            inner.version = hex(half).into_iter().map(char::from).collect();
            supplied = Supplied::new(inner);
        }
        self.keep(credentials, &supplied, until);
        Ok(supplied)
    }

    /// Returns the text of one credential; `None` if it is missing and not required. Lowers `until` to the time until which its secret
    /// holds, if that is earlier.
    async fn text(
        &self,
        credential: &Credential,
        until: &mut Option<Instant>,
    ) -> Result<Option<SecretValue>, NotSupplied> {
        let secret = match credential.source() {
            None => None,
            Some(source) => {
                let (read, holds) = self.read(source).await;
                *until = Some(until.map_or(holds, |until| until.min(holds)));
                if let Some(error) = problem(credential, &read) {
                    self.tell(credential, source, error);
                }
                read.secret?
            }
        };
        match credential.render(secret.as_ref().map_or("", SecretValue::expose)) {
            Ok(text) => Ok(Some(SecretValue::new(text))),
            Err(missing) if credential.is_required() => Err(missing.into()),
            Err(missing) => {
                tracing::debug!(target: crate::names::CREDENTIALS, rule = credential.rule(), why = %missing.reason(), "a call goes without a credential");
                Ok(None)
            }
        }
    }

    /// Logs that a source does not work, at most once per rule and error in [`SOURCE_TOLD`]. The line has neither what the source returned
    /// nor its place, because paths and URLs name users.
    fn tell(&self, credential: &Credential, source: &SecretSource, error: SourceFailed) {
        let (now, rule) = (Instant::now(), credential.rule());
        {
            let mut last_logged = self.0.last_logged.lock();
            last_logged.retain(|_, at| now.saturating_duration_since(*at) < SOURCE_TOLD);
            if last_logged.len() >= SECRETS || last_logged.contains_key(&(rule, error)) {
                return;
            }
            last_logged.insert((rule, error), now);
        }
        let (kind, upstream) = (source.kind(), credential.upstream());
        tracing::warn!(target: crate::names::CREDENTIALS, upstream, kind, rule, %error, "a source of credentials does not work");
    }

    /// Returns what a source has, and until when that holds.
    async fn read(&self, source: &SecretSource) -> (Read, Instant) {
        let slot = self.slot(source);
        let mut kept = slot.0.lock().await;
        if let Some((read, until)) = &*kept
            && Instant::now() < *until
        {
            return (read.clone(), *until);
        }
        let read = source::read(source, kept.as_ref().map(|(read, _)| read), &self.0.provided).await;
        let until = later(Instant::now(), read.keep);
        *kept = Some((read.clone(), until));
        (read, until)
    }

    fn slot(&self, source: &SecretSource) -> Arc<Slot> {
        let mut sources = self.0.sources.lock();
        if let Some(slot) = sources.get(source) {
            return Arc::clone(slot);
        }
        if sources.len() >= SECRETS {
            // Slots in use are held elsewhere too, and stay. The other sources are read once more at worst.
            sources.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(sources.entry(source.clone()).or_default())
    }

    fn keep(&self, credentials: &Credentials, supplied: &Supplied, until: Option<Instant>) {
        let now = Instant::now();
        let mut by_plan = self.0.by_plan.lock();
        if by_plan.len() >= SECRETS {
            by_plan.retain(|_, (_, until)| now < *until);
            if by_plan.len() >= SECRETS {
                by_plan.clear();
            }
        }
        by_plan
            .insert(credentials.clone(), (supplied.clone(), until.unwrap_or_else(|| later(now, FILE_LOOK))));
    }
}

/// The failure of a source that operators are told of. If one user has no secret, or none that fits, only that user is told.
fn problem(credential: &Credential, read: &Read) -> Option<SourceFailed> {
    let is_own = credential.holder() == Holder::User;
    let problem = match &read.secret {
        Err(error) => return Some(*error),
        Ok(None) => read.lacks.unwrap_or(SourceFailed::Empty),
        Ok(Some(secret)) => credential.render(secret.expose()).err().map(|_| SourceFailed::Unfit)?,
    };
    let is_own_matter = matches!(problem, SourceFailed::NoFile | SourceFailed::Empty | SourceFailed::Unfit);
    (credential.is_required() && !(is_own && is_own_matter)).then_some(problem)
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretStore").field("sources", &self.0.sources.lock().len()).finish_non_exhaustive()
    }
}

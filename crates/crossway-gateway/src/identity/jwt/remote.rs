//! An issuer's keys from a URL: cached, refreshed now and then, and when a token names an unknown key.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use crossway_dial::Proxies;
use http::uri::InvalidUri;
use http::{Request, Uri};
use http_body_util::Full;
use jsonwebtoken::Algorithm;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::keys::{JwksError, KeySet};
use crate::identity::limits;
use crate::metrics::{Metrics, Reload};
use crate::outward;
use crate::plan::shown;

/// The keys at a URL. Keys stay in use until others were read: an authorization server that is down, or answers with something other
/// than a JWK set, changes nothing.
#[derive(Debug)]
pub(super) struct Remote {
    url: Uri,
    /// The URL's origin, for the log: the rest may have keys in it.
    shown: String,
    accepted: Vec<Algorithm>,
    keys: Mutex<Option<Arc<KeySet>>>,
    phase: watch::Sender<Phase>,
}

/// The current state of fetching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not started by [`Remote::start`] yet.
    New,
    /// The keys are being fetched.
    Asking,
    /// The keys may be fetched again.
    Ready,
    /// The keys were fetched just now because of an unknown key, and may not be fetched for another yet.
    Resting,
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("no answer within {} s", limits::JWKS_TIME.as_secs())]
    TooLate,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the answer has the status {0}")]
    Status(u16),
    #[error(transparent)]
    Jwks(#[from] JwksError),
}

impl Remote {
    pub(super) fn new(url: &url::Url, accepted: Vec<Algorithm>) -> Result<Arc<Self>, InvalidUri> {
        let phase = watch::Sender::new(Phase::New);
        let (url, shown) = (url.as_str().parse()?, shown(url));
        Ok(Arc::new(Self { url, shown, accepted, keys: Mutex::default(), phase }))
    }

    /// Whether both fetch from the same URL for the same algorithms.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.url == other.url && self.accepted == other.accepted
    }

    /// The keys that were read last.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.lock().clone()
    }

    /// Fetches the keys from now on, until the last owner is dropped. Later calls do nothing.
    pub(super) fn start(self: &Arc<Self>, metrics: Metrics, proxies: Proxies) {
        let is_new = self.phase.send_if_modified(|phase| {
            let is_new = *phase == Phase::New;
            *phase = if is_new { Phase::Asking } else { *phase };
            is_new
        });
        if is_new {
            tokio::spawn(run(Arc::downgrade(self), self.phase.subscribe(), metrics, proxies));
        }
    }

    /// Whether waiting for newer keys makes sense: they are being fetched, or may be.
    pub(super) fn may_learn(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Asking | Phase::Ready)
    }

    /// Has the keys fetched, if they may be, and waits for the end of that. Unknown keys cause at most one fetch per
    /// [`limits::JWKS_REST`].
    pub(super) async fn refreshed(&self) {
        let mut phase = self.phase.subscribe();
        self.phase.send_if_modified(|phase| {
            let may_ask = *phase == Phase::Ready;
            *phase = if may_ask { Phase::Asking } else { *phase };
            may_ask
        });
        // The sender is ours, and can't be gone.
        let _ = phase.wait_for(|phase| *phase != Phase::Asking).await;
    }

    /// Waits until the first keys were read.
    pub(super) async fn there(&self) {
        let mut phase = self.phase.subscribe();
        while self.keys().is_none() && phase.changed().await.is_ok() {}
    }

    async fn read(&self, proxies: &Proxies) -> Result<Reload, ReadError> {
        let request =
            Request::get("/").header(http::header::ACCEPT, "application/jwk-set+json, application/json");
        let request = request.body(Full::new(Bytes::new())).map_err(io::Error::other)?;
        let asked = outward::ask(&self.url, request, Some(limits::JWKS_BYTES), proxies);
        let response = timeout(limits::JWKS_TIME, asked).await.map_err(|_| ReadError::TooLate)??;
        // Redirects are errors as well: an attacker who could answer once for the authorization server could name its keys for good.
        if response.status() != http::StatusCode::OK {
            return Err(ReadError::Status(response.status().as_u16()));
        }
        let before = self.keys();
        if before.as_ref().is_some_and(|keys| keys.is_of(response.body())) {
            return Ok(Reload::Unchanged);
        }
        let mut keys = KeySet::parse(response.body(), &self.accepted)?;
        keys.number = before.map_or(0, |before| before.number + 1);
        *self.lock() = Some(Arc::new(keys));
        Ok(Reload::Ok)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<KeySet>>> {
        self.keys.lock()
    }
}

/// Fetches an issuer's keys while `remote` has an owner.
async fn run(remote: Weak<Remote>, mut phase: watch::Receiver<Phase>, metrics: Metrics, proxies: Proxies) {
    let mut rests_until = Instant::now();
    let mut failures = 0;
    loop {
        let Some(keys) = remote.upgrade() else { return };
        let read = keys.read(&proxies).await;
        let next = match read {
            Ok(result) => {
                if failures > 0 || result == Reload::Ok {
                    tracing::info!(url = keys.shown, "the authorization server's keys were read");
                }
                failures = 0;
                metrics.jwks_read(result);
                limits::JWKS_AGE
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(url = keys.shown, %error, "the authorization server's keys can't be read; those that are known stay");
                }
                failures += 1;
                metrics.jwks_read(Reload::Failed);
                again_after(failures)
            }
        };
        let now = Instant::now();
        // Wakes those that wait.
        keys.phase.send_replace(if now < rests_until { Phase::Resting } else { Phase::Ready });
        drop(keys);
        let next = now + next;
        let asked = async {
            sleep_until(rests_until).await;
            // A request may have asked already.
            remote.upgrade()?.phase.send_if_modified(|phase| {
                let has_rested = *phase == Phase::Resting;
                *phase = if has_rested { Phase::Ready } else { *phase };
                has_rested
            });
            // There is no phase any more when the last owner is gone.
            phase.wait_for(|phase| *phase == Phase::Asking).await.ok().map(drop)
        };
        tokio::select! {
            () = sleep_until(next) => {
                let Some(keys) = remote.upgrade() else { return };
                keys.phase.send_replace(Phase::Asking);
            }
            asked = asked => match asked {
                Some(()) => rests_until = Instant::now() + limits::JWKS_REST,
                None => return,
            },
        }
    }
}

/// Returns the pause before the next fetch after failures: it doubles each time, up to [`limits::JWKS_REST`].
fn again_after(failures: u32) -> Duration {
    limits::JWKS_AGAIN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(limits::JWKS_REST)
}

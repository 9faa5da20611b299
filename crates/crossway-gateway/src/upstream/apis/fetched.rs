//! REST APIs whose OpenAPI document is at a URL: fetched on first use, then refreshed.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use crossway_openapi::rest::{Api, ApiOptions, CurrentApi, Document, FetchError, Validators, fetch};
use crossway_openapi::{Attached, HttpClient};
use crossway_proto::excerpt;
use crossway_service::with_causes;
use http::Uri;
use ring::digest::{Digest, SHA256, digest};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{ApiPlanError, Filled};
use crate::config::limits::{DOCUMENT_RETRY, DOCUMENT_RETRY_MOST};
use crate::limits::EXCERPT_CHARS;

/// An API whose document is at a URL.
pub struct Fetched {
    url: Url,
    uri: Uri,
    options: ApiOptions,
    /// The source of the options, for comparison.
    said: String,
    attached: Attached,
    filled: Filled,
    /// The interval of refreshes; zero for never.
    refresh: Duration,
    state: Mutex<State>,
}

/// The state of the document.
#[derive(Default)]
enum State {
    /// The document was not needed yet.
    #[default]
    Unknown,
    /// The document could not be read; callers get the same error until `again`.
    Failed { again: Instant, pause: Duration, why: ApiPlanError },
    /// The document was read, and is refreshed.
    Here { api: CurrentApi, _keeping: Option<Keeping> },
}

/// The task that refreshes a document. Dropping this aborts it.
struct Keeping(AbortHandle);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Identifies the last fetched document: the server's validators, and a digest of the text.
struct Seen {
    validators: Validators,
    digest: Digest,
}

/// A source of documents: the web, or a substitute in tests.
trait Source: Send + Sync + 'static {
    /// Returns the document, or `None` if it has not changed since `before`.
    fn get(
        &self,
        fetched: &Fetched,
        before: &Validators,
    ) -> impl Future<Output = Result<Option<(Bytes, Validators)>, FetchError>> + Send;
}

struct Web {
    client: HttpClient,
    time: Duration,
}

impl Source for Web {
    async fn get(
        &self,
        fetched: &Fetched,
        before: &Validators,
    ) -> Result<Option<(Bytes, Validators)>, FetchError> {
        fetch(&self.client, &fetched.uri, &fetched.attached, before, self.time).await
    }
}

impl Fetched {
    /// Creates an API whose document is at a URL, and is fetched again every `refresh`, unless that is zero. `said` tells options
    /// apart; `filled` is used for warnings only.
    ///
    /// # Errors
    ///
    /// When the URL can't be requested.
    pub fn new(
        url: Url,
        options: ApiOptions,
        said: String,
        attached: Attached,
        filled: Filled,
        refresh: Duration,
    ) -> Result<Self, http::uri::InvalidUri> {
        let uri = url.as_str().split('#').next().unwrap_or_default().parse()?;
        let options = options.fetched_from(url.clone());
        Ok(Self { url, uri, options, said, attached, filled, refresh, state: Mutex::default() })
    }

    /// Whether both fetch the same document, at the same interval, with the same options.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        (&self.url, &self.said, &self.attached, self.refresh)
            == (&other.url, &other.said, &other.attached, other.refresh)
    }

    /// Returns the API, which all callers share. After a failure, calls return the same error for a while instead of fetching again.
    pub(super) async fn api(
        self: &Arc<Self>,
        client: &HttpClient,
        time: Duration,
    ) -> Result<CurrentApi, ApiPlanError> {
        self.api_of(Web { client: client.clone(), time }).await
    }

    async fn api_of(self: &Arc<Self>, source: impl Source) -> Result<CurrentApi, ApiPlanError> {
        let mut state = self.state.lock().await;
        let pause = match &*state {
            State::Here { api, .. } => return Ok(api.clone()),
            State::Failed { again, why, .. } if Instant::now() < *again => return Err(why.clone()),
            State::Failed { pause, .. } => (*pause * 2).min(DOCUMENT_RETRY_MOST),
            State::Unknown => DOCUMENT_RETRY,
        };
        match self.read(&source, None).await {
            Ok(Some((api, seen))) => {
                let api = CurrentApi::new(api);
                let keeping = (!self.refresh.is_zero()).then(|| {
                    let keeping = keep(Arc::downgrade(self), source, api.clone(), seen, self.refresh);
                    Keeping(tokio::spawn(keeping).abort_handle())
                });
                *state = State::Here { api: api.clone(), _keeping: keeping };
                Ok(api)
            }
            // Without an earlier document, there is none that could be unchanged.
            Ok(None) => Err(ApiPlanError::Ended(self.origin())),
            Err(why) => {
                *state = State::Failed { again: Instant::now() + pause, pause, why: why.clone() };
                Err(why)
            }
        }
    }

    /// Fetches and checks the document. Returns `None` if it has not changed since `before`.
    async fn read(
        &self,
        source: &impl Source,
        before: Option<&Seen>,
    ) -> Result<Option<(Api, Seen)>, ApiPlanError> {
        let origin = self.origin();
        let none = Validators::default();
        let got = source.get(self, before.map_or(&none, |before| &before.validators)).await;
        let got = got.map_err(|source| ApiPlanError::Fetch { origin: origin.clone(), source })?;
        let Some((text, validators)) = got else { return Ok(None) };
        let (options, ended) = (self.options.clone(), ApiPlanError::Ended(origin.clone()));
        let known = before.map(|before| before.digest);
        // A long document takes a few hundred milliseconds.
        let read = tokio::task::spawn_blocking(move || {
            let digest = digest(&SHA256, &text);
            if known.is_some_and(|known| known.as_ref() == digest.as_ref()) {
                return Ok(None);
            }
            let document = Document::parse(&text)
                .map_err(|source| ApiPlanError::Document { origin: origin.clone(), source })?;
            let api = Api::new(&document, &options).map_err(|source| ApiPlanError::Api { origin, source })?;
            Ok(Some((api, Seen { validators, digest })))
        });
        let read = read.await.map_err(|_| ended)??;
        if let Some((api, _)) = &read {
            self.tell(api);
        }
        Ok(read)
    }

    fn tell(&self, api: &Api) {
        let origin = self.origin();
        for left in api.left_out() {
            let why = excerpt(&left.why.to_string(), EXCERPT_CHARS);
            let operation = excerpt(&left.operation, EXCERPT_CHARS);
            tracing::warn!(api = %origin, operation, why, "an operation is no tool");
        }
        for unfilled in api.unfilled(|place| self.filled.has(place)) {
            tracing::warn!(api = %origin, %unfilled, "a security scheme wants what no credential fills");
        }
    }

    /// The origin of the URL, which may be shown.
    fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// Refreshes a document at an interval. If it can't be fetched or used, nothing changes, and the next attempt comes sooner.
async fn keep(
    fetched: Weak<Fetched>,
    source: impl Source,
    current: CurrentApi,
    mut seen: Seen,
    refresh: Duration,
) {
    let (mut pause, mut failed) = (refresh, None::<Duration>);
    loop {
        sleep(pause).await;
        let Some(fetched) = fetched.upgrade() else { return };
        match fetched.read(&source, Some(&seen)).await {
            Ok(read) => {
                (pause, failed) = (refresh, None);
                let Some((api, now)) = read else { continue };
                seen = now;
                let are_others = current.replace(api);
                tracing::info!(api = %fetched.origin(), are_others, "an API's document has changed");
            }
            Err(error) => {
                pause =
                    failed.map_or(DOCUMENT_RETRY, |failed| failed * 2).min(DOCUMENT_RETRY_MOST).min(refresh);
                failed = Some(pause);
                tracing::warn!(api = %fetched.origin(), again_in_seconds = pause.as_secs(), why = with_causes(&error),
                    "an API's document can't be read anew; its tools stay as they are");
            }
        }
    }
}

impl fmt::Debug for Fetched {
    /// Shows the origin only: a URL's path and query may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetched").field(&self.origin()).finish()
    }
}

#[cfg(test)]
mod tests;

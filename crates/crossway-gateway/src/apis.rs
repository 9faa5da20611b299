//! Upstreams that speak no MCP: REST APIs that OpenAPI documents describe, and webhooks.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossway_openapi::rest::{
    Api, ApiError, ApiOptions, Document, DocumentError, FetchError, RestUpstream, SecurityPlace, fetch,
};
use crossway_openapi::webhook::{WebhookTool, WebhookUpstream};
use crossway_openapi::{Attached, CallOptions, HttpClient};
use crossway_policy::config::CredentialRule;
use crossway_service::Upstream;
use http::header::COOKIE;
use http::{HeaderName, HeaderValue, Uri};
use tokio::sync::OnceCell;
use url::Url;

/// A REST API, or webhooks, as they are to be called.
#[derive(Clone)]
pub struct ApiPlan {
    /// What is called.
    pub kind: ApiKind,
    /// What every request carries.
    pub attached: Attached,
    /// How long an answer may take.
    pub time: Duration,
    /// How long an answer may be.
    pub answer_bytes: usize,
    /// Shared by all callers of it, each of whom has requests with credentials of their own.
    client: HttpClient,
}

/// What is called.
#[derive(Clone)]
pub enum ApiKind {
    /// An API whose document was read with the config.
    Read {
        /// It.
        api: Api,
        /// Another whenever the document, or what is made of it, is another.
        version: String,
    },
    /// An API whose document is fetched when it is called first, once for all who call.
    Fetched(Arc<Fetched>),
    /// Webhooks under a name.
    Webhooks(String, Arc<[WebhookTool]>),
}

/// An API whose document is at a URL.
pub struct Fetched {
    url: Url,
    uri: Uri,
    options: ApiOptions,
    /// What the options are made of.
    said: String,
    attached: Attached,
    filled: Filled,
    api: OnceCell<Api>,
}

/// Where requests of an upstream carry something, for one caller or for all.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// Names in lower case.
    headers: BTreeSet<String>,
    query: BTreeSet<String>,
    cookies: BTreeSet<String>,
    /// Whether there are cookies whose names are known to a secret alone.
    has_secret_cookies: bool,
}

impl Filled {
    /// What the upstream's own headers fill, and those rules about credentials that are for it.
    #[must_use]
    pub fn new<'a>(
        headers: impl Iterator<Item = &'a (HeaderName, HeaderValue)>,
        rules: impl Iterator<Item = &'a CredentialRule>,
    ) -> Self {
        let mut filled = Self::default();
        for (name, value) in headers {
            filled.headers.insert(name.to_string());
            if name == COOKIE {
                filled.cookies(&String::from_utf8_lossy(value.as_bytes()), false);
            }
        }
        for rule in rules {
            if rule.header.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(COOKIE.as_str())) {
                filled.cookies(rule.value.as_deref().unwrap_or("{secret}"), true);
            }
            filled.query.extend(rule.query.clone());
            filled.headers.extend(rule.header.as_ref().map(|name| name.to_ascii_lowercase()));
            if rule.bearer || rule.basic.is_some() {
                filled.headers.insert("authorization".to_owned());
            }
        }
        filled
    }

    /// The cookies of a header `Cookie`: `sid={secret}; lang=de`. In a template, one that has a place in its name may be any.
    fn cookies(&mut self, value: &str, is_template: bool) {
        for pair in value.split(';') {
            let name = pair.split('=').next().unwrap_or_default().trim();
            if is_template && name.contains('{') {
                self.has_secret_cookies = true;
            } else {
                self.cookies.insert(name.to_owned());
            }
        }
    }

    /// Whether something is there. A cookie is if the header `Cookie` names it, or is all a secret's to say.
    #[must_use]
    pub fn has(&self, place: &SecurityPlace) -> bool {
        match place {
            SecurityPlace::Header(name) => self.headers.contains(name),
            SecurityPlace::Query(name) => self.query.contains(name),
            SecurityPlace::Cookie(name) => self.has_secret_cookies || self.cookies.contains(name),
            _ => true,
        }
    }
}

/// Why a REST API can't be called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiPlanError {
    /// Its document can't be had.
    #[error("the document of {origin} can't be fetched")]
    Fetch {
        /// Where it is.
        origin: String,
        /// Why.
        source: FetchError,
    },
    /// Its document can't be used.
    #[error("the document of {origin} can't be used")]
    Document {
        /// Where it is.
        origin: String,
        /// Why.
        source: DocumentError,
    },
    /// It gives no tools.
    #[error("the document of {origin} gives no tools")]
    Api {
        /// Where it is.
        origin: String,
        /// Why.
        source: ApiError,
    },
    /// Reading it was ended.
    #[error("reading the document of {0} was ended")]
    Ended(String),
}

impl ApiPlan {
    /// Calls this with what is attached.
    #[must_use]
    pub fn new(kind: ApiKind, attached: Attached, time: Duration, answer_bytes: usize) -> Self {
        Self { kind, attached, time, answer_bytes, client: HttpClient::default() }
    }

    /// The upstream.
    ///
    /// # Errors
    ///
    /// When a document that is to be fetched can't be, or can't be used.
    pub(crate) async fn connect(self) -> Result<Arc<dyn Upstream>, ApiPlanError> {
        let Self { kind, attached, time, answer_bytes, client } = self;
        let options = CallOptions::new().client(client.clone()).attached(attached);
        let options = options.time(time).answer_bytes(answer_bytes);
        let api = match kind {
            ApiKind::Webhooks(name, tools) => {
                return Ok(Arc::new(WebhookUpstream::new(name, tools, options)));
            }
            ApiKind::Read { api, .. } => api,
            ApiKind::Fetched(fetched) => fetched.api(&client, time).await?.clone(),
        };
        Ok(Arc::new(RestUpstream::new(api, options)))
    }
}

impl Fetched {
    /// An API whose document is at a URL. `said` tells options apart; `filled` is told of, and holds nobody up.
    ///
    /// # Errors
    ///
    /// When the URL can't be asked for.
    pub fn new(
        url: Url,
        options: ApiOptions,
        said: String,
        attached: Attached,
        filled: Filled,
    ) -> Result<Self, http::uri::InvalidUri> {
        let uri = url.as_str().split('#').next().unwrap_or_default().parse()?;
        Ok(Self {
            options: options.fetched_from(url.clone()),
            url,
            uri,
            said,
            attached,
            filled,
            api: OnceCell::new(),
        })
    }

    async fn api(&self, client: &HttpClient, time: Duration) -> Result<&Api, ApiPlanError> {
        let origin = || self.url.origin().ascii_serialization();
        let fetching = async {
            let text = fetch(client, &self.uri, &self.attached, time).await;
            let text = text.map_err(|source| ApiPlanError::Fetch { origin: origin(), source })?;
            let (options, origin) = (self.options.clone(), origin());
            let ended = ApiPlanError::Ended(origin.clone());
            // A long one takes a few hundred milliseconds.
            let read = tokio::task::spawn_blocking(move || {
                let document = Document::parse(&text)
                    .map_err(|source| ApiPlanError::Document { origin: origin.clone(), source })?;
                Api::new(&document, &options).map_err(|source| ApiPlanError::Api { origin, source })
            });
            let api = read.await.map_err(|_| ended)??;
            for left in api.left_out() {
                let why = &left.why;
                tracing::warn!(api = %self.url.origin().ascii_serialization(), operation = %left.operation, %why, "an operation is no tool");
            }
            for unfilled in api.unfilled(|place| self.filled.has(place)) {
                tracing::warn!(api = %self.url.origin().ascii_serialization(), %unfilled, "a security scheme wants what no credential fills");
            }
            Ok(api)
        };
        self.api.get_or_try_init(|| fetching).await
    }
}

impl PartialEq for ApiPlan {
    /// Whether it is called the same way: what was fetched meanwhile does not count.
    fn eq(&self, other: &Self) -> bool {
        let kinds = match (&self.kind, &other.kind) {
            (ApiKind::Read { version, .. }, ApiKind::Read { version: of_other, .. }) => version == of_other,
            (ApiKind::Fetched(one), ApiKind::Fetched(other)) => {
                (&one.url, &one.said, &one.attached) == (&other.url, &other.said, &other.attached)
            }
            (ApiKind::Webhooks(name, tools), ApiKind::Webhooks(of_other, others)) => {
                name == of_other && tools == others
            }
            _ => false,
        };
        let rest = |plan: &Self| (plan.attached.clone(), plan.time, plan.answer_bytes);
        kinds && rest(self) == rest(other)
    }
}

impl Eq for ApiPlan {}

impl fmt::Debug for ApiPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ApiPlan");
        debug.field("kind", &self.kind).field("attached", &self.attached).finish_non_exhaustive()
    }
}

impl fmt::Debug for ApiKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { api, .. } => f.debug_tuple("Read").field(api).finish(),
            Self::Fetched(fetched) => fetched.fmt(f),
            Self::Webhooks(name, tools) => f.debug_tuple("Webhooks").field(name).field(&tools.len()).finish(),
        }
    }
}

impl fmt::Debug for Fetched {
    /// Its origin: a URL's path and query may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetched").field(&self.url.origin().ascii_serialization()).finish()
    }
}

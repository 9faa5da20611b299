//! Upstreams that speak no MCP: REST APIs by their OpenAPI documents, and webhooks.

mod fetched;
mod filled;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossway_dial::Proxies;
use crossway_openapi::rest::{Api, ApiError, DocumentError, FetchError, RestUpstream};
use crossway_openapi::webhook::{WebhookTool, WebhookUpstream};
use crossway_openapi::{Attached, CallOptions, HttpClient};
use crossway_service::Upstream;

pub use fetched::Fetched;
pub use filled::Filled;

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
    /// What its requests go through.
    proxies: Proxies,
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
    /// An API whose document is fetched when it is called first, for all who call, and then again and again.
    Fetched(Arc<Fetched>),
    /// Webhooks under a name.
    Webhooks(String, Arc<[WebhookTool]>),
}

/// Why a REST API can't be called.
#[derive(Debug, Clone, thiserror::Error)]
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
        let (proxies, client) = (Proxies::none(), HttpClient::default());
        Self { kind, attached, time, answer_bytes, proxies, client }
    }

    /// The same through these outgoing proxies, the document as well.
    #[must_use]
    pub fn through(self, proxies: Proxies) -> Self {
        let client = HttpClient::default().through(proxies.clone());
        Self { proxies, client, ..self }
    }

    /// The upstream.
    ///
    /// # Errors
    ///
    /// When a document that is to be fetched can't be, or can't be used.
    pub(crate) async fn connect(self) -> Result<Arc<dyn Upstream>, ApiPlanError> {
        let Self { kind, attached, time, answer_bytes, client, .. } = self;
        let options = CallOptions::new().client(client.clone()).attached(attached);
        let options = options.time(time).answer_bytes(answer_bytes);
        Ok(match kind {
            ApiKind::Webhooks(name, tools) => Arc::new(WebhookUpstream::new(name, tools, options)),
            ApiKind::Read { api, .. } => Arc::new(RestUpstream::new(api, options)),
            ApiKind::Fetched(fetched) => {
                Arc::new(RestUpstream::current(fetched.api(&client, time).await?, options))
            }
        })
    }
}

impl PartialEq for ApiPlan {
    /// Whether it is called the same way: what was fetched meanwhile does not count.
    fn eq(&self, other: &Self) -> bool {
        let kinds = match (&self.kind, &other.kind) {
            (ApiKind::Read { version, .. }, ApiKind::Read { version: of_other, .. }) => version == of_other,
            (ApiKind::Fetched(one), ApiKind::Fetched(other)) => one.is_as(other),
            (ApiKind::Webhooks(name, tools), ApiKind::Webhooks(of_other, others)) => {
                name == of_other && tools == others
            }
            _ => false,
        };
        let rest = |plan: &Self| (plan.attached.clone(), plan.time, plan.answer_bytes, plan.proxies.clone());
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

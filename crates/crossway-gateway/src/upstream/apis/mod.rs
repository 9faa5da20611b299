//! Upstreams that do not speak MCP: REST APIs with OpenAPI documents, and webhooks.

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

/// How to call a REST API or webhooks.
#[derive(Clone)]
pub struct ApiPlan {
    /// The API or webhooks to call.
    pub kind: ApiKind,
    /// What is attached to every request.
    pub attached: Attached,
    /// The timeout of an answer.
    pub time: Duration,
    /// The longest answer, in bytes.
    pub answer_bytes: usize,
    /// The outgoing proxies for requests.
    proxies: Proxies,
    /// Shared by all callers, whose requests have their own credentials.
    client: HttpClient,
}

/// The kind of API, with what is needed to call it.
#[derive(Clone)]
pub enum ApiKind {
    /// An API whose document was read with the config.
    Read {
        /// The API.
        api: Api,
        /// A version that differs whenever the document or its options differ.
        version: String,
    },
    /// An API whose document is fetched at its first use, for all callers, and then refreshed.
    Fetched(Arc<Fetched>),
    /// Webhooks under a name.
    Webhooks(String, Arc<[WebhookTool]>),
}

/// Why a REST API can't be called.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ApiPlanError {
    /// The document can't be fetched.
    #[error("the document of {origin} can't be fetched")]
    Fetch {
        /// The document's origin.
        origin: String,
        /// Why.
        source: FetchError,
    },
    /// The document can't be used.
    #[error("the document of {origin} can't be used")]
    Document {
        /// The document's origin.
        origin: String,
        /// Why.
        source: DocumentError,
    },
    /// The document gives no tools.
    #[error("the document of {origin} gives no tools")]
    Api {
        /// The document's origin.
        origin: String,
        /// Why.
        source: ApiError,
    },
    /// Reading the document was cancelled.
    #[error("reading the document of {0} was ended")]
    Ended(String),
}

impl ApiPlan {
    /// Creates a plan without proxies.
    #[must_use]
    pub fn new(kind: ApiKind, attached: Attached, time: Duration, answer_bytes: usize) -> Self {
        let (proxies, client) = (Proxies::none(), HttpClient::default());
        Self { kind, attached, time, answer_bytes, proxies, client }
    }

    /// Uses these outgoing proxies, for the document as well.
    #[must_use]
    pub fn through(self, proxies: Proxies) -> Self {
        let client = HttpClient::default().through(proxies.clone());
        Self { proxies, client, ..self }
    }

    /// Returns the upstream.
    ///
    /// # Errors
    ///
    /// When the document has to be fetched and can't be fetched or used.
    pub(crate) async fn connect(self) -> Result<Arc<dyn Upstream>, ApiPlanError> {
        let Self { kind, attached, time, answer_bytes, client, .. } = self;
        let options = CallOptions::new().client(client.clone()).attached(attached);
        let options = options.timeout(time).answer_bytes(answer_bytes);
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
    /// Whether both are called the same way. What was fetched meanwhile is not compared.
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

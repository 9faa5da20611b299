//! The operations listener's `tower` service.

use std::convert::Infallible;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossway_proto::http_rules::{AllowedHosts, Authority};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use http_body::Body;
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::value::RawValue;
use tower_service::Service;

use super::answer::{self, Answer};
use super::limits::{BODY_BYTES, BODY_TIME, DISCARD};
use super::{
    AdminKey, OperationsSource, Readiness, ReadinessParts, ReadinessStatus, SessionCount, UpstreamState,
    UpstreamStatus,
};
use crate::metrics::{self, Metrics};

/// The operations listener's service. Clones share its parts.
pub struct Operations<S>(Arc<Inner<S>>);

struct Inner<S> {
    source: S,
    readiness: Readiness,
    metrics: Metrics,
    hosts: AllowedHosts,
    key: Option<AdminKey>,
}

impl<S: OperationsSource> Operations<S> {
    /// Answers from `source`. `hosts` are the allowed names of the listener. Addresses are always allowed, because probes
    /// and scrapers use addresses, and DNS rebinding needs a name. Without a `key`, `/admin` is closed.
    pub fn new(
        source: S,
        readiness: Readiness,
        metrics: Metrics,
        hosts: AllowedHosts,
        key: Option<AdminKey>,
    ) -> Self {
        Self(Arc::new(Inner { source, readiness, metrics, hosts, key }))
    }
}

impl<S> Clone for Operations<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Operations<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operations({:?})", self.0.readiness)
    }
}

/// The future of [`Operations`].
pub type OperationsFuture = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

impl<S, B> Service<Request<B>> for Operations<S>
where
    S: OperationsSource,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = OperationsFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> OperationsFuture {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct Ready<'a> {
    #[serde(flatten)]
    parts: ReadinessParts,
    upstreams: Vec<ReadyUpstream<'a>>,
}

#[derive(Serialize)]
struct ReadyUpstream<'a> {
    name: &'a str,
    state: UpstreamState,
}

#[derive(Serialize)]
struct Upstreams {
    upstreams: Vec<UpstreamStatus>,
}

#[derive(Serialize)]
struct Sessions {
    open: usize,
    faces: Vec<SessionCount>,
}

/// Whether this is a probe over HTTP/1.0 without a `Host`, which HTTP/1.0 does not require (RFC 9112, section 3.2, requires it of
/// HTTP/1.1). Load balancers probe in this way, and a page that reaches the listener by DNS rebinding always sends its name.
fn is_probe_of_http_1_0<B>(request: &Request<B>) -> bool {
    matches!(request.uri().path(), "/livez" | "/readyz")
        && request.version() <= Version::HTTP_10
        && !request.headers().contains_key(HOST)
        && request.uri().authority().is_none()
}

impl<S: OperationsSource> Inner<S> {
    async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let path = request.uri().path();
        let is_admin = path == "/admin" || path.starts_with("/admin/");
        let refusal = if is_probe_of_http_1_0(&request) {
            None
        } else {
            self.refuse_host(request.headers(), request.uri())
        };
        let refusal = refusal.or_else(|| is_admin.then(|| self.refuse_key(request.headers())).flatten());
        if let Some(refusal) = refusal {
            return refusal;
        }
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        match path {
            "/livez" | "/readyz" | "/metrics" | "/admin/upstreams" | "/admin/sessions" if !is_get => {
                answer::not_allowed("GET")
            }
            "/livez" => answer::json(StatusCode::OK, &serde_json::json!({"status": "alive"})),
            "/readyz" => self.readyz(),
            "/metrics" => {
                let (upstreams, sessions) = (self.source.upstreams(), self.source.sessions());
                let text = self.metrics.scrape(&upstreams, &sessions, self.source.audit().as_ref());
                answer::text(metrics::CONTENT_TYPE, text)
            }
            "/admin/upstreams" => {
                answer::json(StatusCode::OK, &Upstreams { upstreams: self.source.upstreams() })
            }
            "/admin/sessions" => {
                let faces = self.source.sessions();
                let open = faces.iter().map(|count| count.open).sum();
                answer::json(StatusCode::OK, &Sessions { open, faces })
            }
            "/admin/explain" if request.method() != Method::POST => answer::not_allowed("POST"),
            "/admin/explain" => self.explain(request.into_body()).await,
            _ => answer::wrong(
                StatusCode::NOT_FOUND,
                "nothing is here; there are /livez, /readyz, /metrics, /admin/upstreams, /admin/sessions and /admin/explain",
            ),
        }
    }

    fn readyz(&self) -> Answer {
        let parts = self.readiness.parts();
        let upstreams = self.source.upstreams();
        let upstreams =
            upstreams.iter().map(|it| ReadyUpstream { name: &it.name, state: it.state }).collect();
        let status = match parts.status {
            ReadinessStatus::Ready => StatusCode::OK,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        answer::json(status, &Ready { parts, upstreams })
    }

    async fn explain<B>(&self, body: B) -> Answer
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let body = match tokio::time::timeout(BODY_TIME, read(body)).await {
            Ok(Ok(Some(body))) => body,
            Ok(Ok(None)) => return answer::wrong(StatusCode::PAYLOAD_TOO_LARGE, "the question is too long"),
            Ok(Err(_)) => return answer::wrong(StatusCode::BAD_REQUEST, "the body did not come whole"),
            Err(_) => return answer::wrong(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        };
        let Ok(question) = serde_json::from_slice::<&RawValue>(&body) else {
            return answer::wrong(StatusCode::BAD_REQUEST, "the body is not JSON");
        };
        match self.source.explain(question) {
            Ok(explanation) => answer::json(StatusCode::OK, &explanation),
            Err(error) => answer::wrong(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    /// Returns a refusal unless the host is allowed. Addresses are allowed besides the names: the kubelet and Prometheus use
    /// them, and a page whose name was made to point here (DNS rebinding) still sends its name.
    fn refuse_host(&self, headers: &HeaderMap, uri: &Uri) -> Option<Answer> {
        let refusal = self.hosts.check(headers, uri).err()?;
        let is_address = || {
            let host = uri.authority().map(|authority| authority.as_str());
            let host = host.or_else(|| headers.get(HOST)?.to_str().ok())?;
            Authority::parse(host).ok().filter(Authority::is_address)
        };
        if refusal.status == StatusCode::FORBIDDEN && is_address().is_some() {
            return None;
        }
        Some(answer::wrong(refusal.status, &refusal.message))
    }

    fn refuse_key(&self, headers: &HeaderMap) -> Option<Answer> {
        let Some(key) = &self.key else {
            let error = "no admin key is configured, so that nothing opens /admin";
            return Some(answer::wrong(StatusCode::FORBIDDEN, error));
        };
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let refused = match (values.next(), values.next()) {
            (Some(value), None) if key.opens(value.as_bytes()) => return None,
            (None, _) => "missing",
            _ => "wrong",
        };
        self.metrics.identity_refused("admin-key", refused);
        Some(answer::unauthorized("/admin needs the admin key, as Authorization: Bearer"))
    }
}

/// Reads a body, or returns `None` if it is too long. The rest is then discarded up to a bound, so that the refusal is not
/// lost in a reset connection.
async fn read<B: Body<Data = Bytes>>(body: B) -> Result<Option<Vec<u8>>, B::Error> {
    let (mut body, mut text, mut length) = (pin!(body), Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if length <= BODY_BYTES {
            text.extend_from_slice(&data);
        } else if length > DISCARD {
            break;
        }
    }
    Ok((length <= BODY_BYTES).then_some(text))
}

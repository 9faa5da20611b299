//! The edge of `crossway serve`: authenticates a request, finds its tenant, and checks that the path exists for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::Guard;
use crossway_layers::trace::{ClientTrace, from_headers};
use crossway_openapi::webhook::Chat;
use crossway_policy::Principal;
use crossway_router::ScopeKey;
use crossway_service::extension_of;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use ring::digest::{SHA256, digest};
use tower_service::Service;

use super::actor::Actor;
use super::current_policy::{CurrentPolicy, PolicySnapshot};
use super::sent::{Counted, CountedFuture};
use crate::faces::{FaceBody, FaceFuture, Faces, answer, is_of_document, is_of_mcp, name_in};
use crate::hex::hex;
use crate::identity::{Authenticator, IdentifiedBody, IdentifiedFuture, Unauthenticated};
use crate::joined::joined;
use crate::metrics::Metrics;

/// The answer to callers who have authenticated and belong to no tenant, whatever the reason is.
const NO_TENANT: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"you are known, and nothing here is for you; ask your administrator for access"}}"#;

/// The same answer in the form of the OpenAPI face.
const NO_TENANT_OF_TOOLS: &str = r#"{"detail":{"message":"you are known, and nothing here is for you; ask your administrator for access"}}"#;

/// The faces behind authentication, or open to everybody. Each request goes to one of them. Clones share them.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Behind>);

struct Behind {
    /// The policy in force; `None` if nobody has to authenticate.
    known: Option<(CurrentPolicy, Metrics)>,
    faces: Faces,
}

impl Edge {
    /// The faces without authentication.
    pub(crate) fn open(faces: Faces) -> Self {
        Self(Arc::new(Behind { known: None, faces }))
    }

    /// The faces behind authentication.
    pub(super) fn new(current: CurrentPolicy, metrics: Metrics, faces: Faces) -> Self {
        Self(Arc::new(Behind { known: Some((current, metrics)), faces }))
    }
}

impl Service<Request<Incoming>> for Edge {
    type Response = Response<IdentifiedBody<Counted<FaceBody>>>;
    type Error = Infallible;
    type Future = IdentifiedFuture<CountedFuture<FaceFuture>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        let Behind { known, faces } = &*self.0;
        let Some((current, metrics)) = known else {
            return IdentifiedFuture::Passed(CountedFuture::new(faces.send(request), None));
        };
        if let Ok(trace) = from_headers(request.headers()) {
            request.extensions_mut().insert(ClientTrace(trace));
        }
        let snapshot = current.get();
        let gate = Gate::of(&snapshot, &request);
        match gate.authenticator(&snapshot, metrics).authenticate(request) {
            Ok(request) => IdentifiedFuture::Passed(gate.send(&snapshot, faces, request)),
            Err(Unauthenticated::Answered(response)) => IdentifiedFuture::answered(*response),
            Err(Unauthenticated::Early(mut early)) => {
                let (behind, snapshot) = (Arc::clone(&self.0), Guard::into_inner(snapshot));
                let metrics = metrics.clone();
                IdentifiedFuture::waiting(async move {
                    early.keys().await;
                    let request = gate.authenticator(&snapshot, &metrics).authenticate_late(*early)?;
                    Ok(gate.send(&snapshot, &behind.faces, request))
                })
            }
        }
    }
}

/// The chat that a request belongs to, if Open WebUI names it (`X-OpenWebUI-Chat-Id`). It is combined with the user, because a client may
/// name any chat. The result is the same after a restart and on each replica, because workflows keep the memory of a chat by it.
fn chat(headers: &HeaderMap, user: &ScopeKey) -> Option<Chat> {
    let named = headers.get("x-openwebui-chat-id")?.to_str().ok().and_then(Chat::new)?;
    let whole = digest(&SHA256, joined(&[user.as_str(), named.name()]).as_bytes());
    Chat::new(&hex(whole.as_ref()))
}

/// The kind of a request.
#[derive(Clone, Copy)]
struct Gate {
    /// Whether it is for the OpenAPI face, and that is configured.
    is_of_tools: bool,
    /// Whether it is for a document that may be fetched without authentication, if the config allows that.
    is_of_document: bool,
}

impl Gate {
    fn of(snapshot: &PolicySnapshot, request: &Request<Incoming>) -> Self {
        let path = request.uri().path();
        let is_of_tools = snapshot.openapi.is_some() && !is_of_mcp(path);
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        Self { is_of_tools, is_of_document: is_of_tools && reads && is_of_document(path) }
    }

    fn authenticator<'a>(&self, snapshot: &'a PolicySnapshot, metrics: &'a Metrics) -> Authenticator<'a> {
        let stand_in = snapshot.openapi.as_ref().and_then(Option::as_ref).filter(|_| self.is_of_document);
        Authenticator { identity: &snapshot.identity, metrics, stand_in, is_of_tools: self.is_of_tools }
    }

    /// Sends an authenticated request to its face.
    fn send(
        &self,
        snapshot: &PolicySnapshot,
        faces: &Faces,
        mut request: Request<Incoming>,
    ) -> CountedFuture<FaceFuture> {
        match self.actor(snapshot, &request) {
            Ok(actor) => {
                let chat = snapshot.asks_for_chats.then(|| chat(request.headers(), actor.user())).flatten();
                let extensions = request.extensions_mut();
                if let Some(chat) = chat {
                    extensions.insert(chat);
                }
                extensions.insert(actor.extensions());
                CountedFuture::new(faces.send(request), Some(actor))
            }
            Err(NotAdmitted::Nowhere) => CountedFuture::new(self.nowhere(), None),
            Err(NotAdmitted::NoTenant) => CountedFuture::new(self.no_tenant(), None),
        }
    }

    /// The caller's rights at the path.
    fn actor(&self, snapshot: &PolicySnapshot, request: &Request<Incoming>) -> Result<Actor, NotAdmitted> {
        let path = request.uri().path();
        if !self.is_of_tools && !is_of_mcp(path) {
            return Err(NotAdmitted::Nowhere);
        }
        let principal = extension_of::<Principal>(request.extensions()).ok_or(NotAdmitted::Nowhere)?;
        admit(snapshot, principal, path)
    }

    fn nowhere(&self) -> FaceFuture {
        if self.is_of_tools { FaceFuture::nothing() } else { FaceFuture::nowhere() }
    }

    fn no_tenant(&self) -> FaceFuture {
        let told = if self.is_of_tools { NO_TENANT_OF_TOOLS } else { NO_TENANT };
        FaceFuture::Nowhere(std::future::ready(answer(StatusCode::FORBIDDEN, told)))
    }
}

/// Why a caller is refused at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAdmitted {
    /// The path does not exist, or the caller must not know that it does.
    Nowhere,
    /// The caller belongs to no tenant.
    NoTenant,
}

/// The rights of a caller at a path.
pub(super) fn admit(
    snapshot: &PolicySnapshot,
    principal: &Principal,
    path: &str,
) -> Result<Actor, NotAdmitted> {
    let named = name_in(path);
    let endpoint = named.as_deref().and_then(|name| snapshot.endpoints.get(name));
    let actor = snapshot.actors.of(principal, endpoint).map_err(|why| {
        let why = why.reason();
        tracing::debug!(endpoint = endpoint.map(|name| &**name), %why, "a caller belongs to no tenant");
        // An endpoint of another tenant must look like one that does not exist. So callers who belong to a tenant get `Nowhere`, and the
        // others get `NoTenant`, as they do everywhere.
        let has_one = endpoint.is_some() && snapshot.actors.of(principal, None).is_ok();
        if has_one { NotAdmitted::Nowhere } else { NotAdmitted::NoTenant }
    })?;
    match (&named, endpoint) {
        (Some(name), None) if !actor.rights().reaches(name) => Err(NotAdmitted::Nowhere),
        _ => Ok(actor),
    }
}

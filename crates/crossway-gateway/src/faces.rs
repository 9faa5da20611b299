//! Routes paths of a listener to faces: Streamable HTTP at `/mcp`, HTTP+SSE at `/sse` and `/message`, OpenAPI elsewhere
//! if it is served; and the same below `/{name}` for each named server.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_http_sse::HttpSse;
use crossway_openapi::face::encode_segment;
use crossway_streamable_http::server::StreamableHttp;
use http::header::{CONTENT_TYPE, LOCATION};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use parking_lot::RwLock;
use pin_project::pin_project;
use tower_service::Service;

use crate::limits::NAMES_TOLD;
use crate::openapi_face::OpenApiFace;

/// The answer at unknown paths.
const NOT_HERE: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"nothing is here: Streamable HTTP is at /mcp, HTTP+SSE at /sse"}}"#;

/// The answer at unknown paths if HTTP+SSE is not served.
const NOT_HERE_MODERN: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"nothing is here: Streamable HTTP is at /mcp"}}"#;

/// The answer at unknown paths if OpenAPI is served as well.
const NOT_HERE_EITHER: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"nothing is here: Streamable HTTP is at /mcp, HTTP+SSE at /sse, OpenAPI at /openapi.json"}}"#;

/// The answer at unknown paths, in the form of the OpenAPI face's errors.
const NOTHING_HERE: &str = r#"{"detail":{"message":"nothing is here: the document is at openapi.json, a page about it at docs, and each tool takes POST at its name"}}"#;

/// The faces of one upstream.
#[derive(Debug, Clone)]
pub struct UpstreamFaces {
    /// `None` if only OpenAPI is served.
    mcp: Option<StreamableHttp>,
    /// `None` if HTTP+SSE is not served.
    sse: Option<HttpSse>,
    openapi: Option<OpenApiFace>,
}

impl UpstreamFaces {
    /// Creates the faces Streamable HTTP and HTTP+SSE, which has to be at `/sse` and `/message`.
    #[must_use]
    pub fn new(mcp: StreamableHttp, sse: HttpSse) -> Self {
        Self { mcp: Some(mcp), sse: Some(sse), openapi: None }
    }

    /// Creates Streamable HTTP without HTTP+SSE, for an upstream that speaks only revisions from 2026-07-28 on.
    #[must_use]
    pub fn modern_only(mcp: StreamableHttp) -> Self {
        Self { mcp: Some(mcp), sse: None, openapi: None }
    }

    /// Creates OpenAPI alone.
    #[must_use]
    pub fn openapi_only(openapi: OpenApiFace) -> Self {
        Self { mcp: None, sse: None, openapi: Some(openapi) }
    }

    /// Sets the OpenAPI face to serve as well.
    #[must_use]
    pub fn with_openapi(mut self, openapi: Option<OpenApiFace>) -> Self {
        self.openapi = openapi;
        self
    }

    /// Accepts no new sessions from now on; calls in flight continue.
    pub fn drain(&self) {
        if let Some(mcp) = &self.mcp {
            mcp.drain();
        }
        if let Some(sse) = &self.sse {
            sse.drain();
        }
    }

    /// Ends the remaining sessions and calls.
    pub async fn close(&self) {
        let of_mcp = async {
            if let Some(sse) = &self.sse {
                sse.close();
            }
            if let Some(mcp) = &self.mcp {
                mcp.close().await;
            }
            if let Some(sse) = &self.sse {
                sse.drained().await;
            }
        };
        let of_openapi = async {
            match (&self.openapi, &self.mcp) {
                (Some(openapi), None) => openapi.close_all().await,
                (Some(openapi), Some(_)) => openapi.close().await,
                (None, _) => {}
            }
        };
        // All clients are told at once, whichever upstream takes long.
        futures_util::future::join(of_mcp, of_openapi).await;
    }

    /// Sends a request to its face.
    fn call(&self, request: Request<Incoming>) -> FaceFuture {
        let face = Face::of(request.uri().path());
        if let (Some(Face::Sse), Some(sse)) = (&face, &self.sse) {
            return FaceFuture::Sse(sse.clone().call(request));
        }
        match (face, &self.mcp, &self.openapi) {
            (Some(Face::Mcp), Some(mcp), _) => FaceFuture::Mcp(mcp.clone().call(request)),
            // No tool has this path, and the OpenAPI face does not know about the other faces.
            (_, Some(_), Some(_)) if request.uri().path() == "/" => FaceFuture::not_here(NOT_HERE_EITHER),
            // The page's links to its files are relative to `docs`, without a slash.
            (_, _, Some(_))
                if request.uri().path() == "/docs/"
                    && matches!(*request.method(), Method::GET | Method::HEAD) =>
            {
                FaceFuture::moved("../docs")
            }
            (_, _, Some(openapi)) => FaceFuture::OpenApi(openapi.clone().call(request)),
            (_, Some(_), None) if self.sse.is_none() => FaceFuture::not_here(NOT_HERE_MODERN),
            _ => FaceFuture::nowhere(),
        }
    }
}

/// Sends each request to a face by its path. Clones share the faces.
#[derive(Debug, Clone)]
pub struct Faces(Arc<All>);

#[derive(Debug)]
struct All {
    root: UpstreamFaces,
    /// Whether the answer to an unknown name lists all names.
    tells_names: bool,
    named: RwLock<HashMap<String, UpstreamFaces>>,
}

impl Faces {
    /// Creates faces with `root` at the root.
    #[must_use]
    pub fn new(root: UpstreamFaces) -> Self {
        Self::with(root, false)
    }

    /// Like [`new`](Self::new), for callers who may know the names of all servers: the answer to an unknown name lists them.
    #[must_use]
    pub fn telling_names(root: UpstreamFaces) -> Self {
        Self::with(root, true)
    }

    fn with(root: UpstreamFaces, tells_names: bool) -> Self {
        Self(Arc::new(All { root, tells_names, named: RwLock::default() }))
    }

    /// Serves the faces of an upstream below `/{name}`. Returns the previous ones of that name.
    pub fn insert(&self, name: &str, faces: UpstreamFaces) -> Option<UpstreamFaces> {
        self.0.named.write().insert(name.to_owned(), faces)
    }

    /// Stops serving below `/{name}`, and returns the faces that were there.
    pub fn remove(&self, name: &str) -> Option<UpstreamFaces> {
        self.0.named.write().remove(name)
    }

    /// Accepts no new sessions from now on; calls in flight continue.
    pub fn drain(&self) {
        self.all().iter().for_each(UpstreamFaces::drain);
    }

    /// The numbers of open sessions: over Streamable HTTP, and over HTTP+SSE.
    #[must_use]
    pub fn sessions(&self) -> (usize, usize) {
        let all = self.all();
        let mcp = all.iter().filter_map(|faces| faces.mcp.as_ref()).map(StreamableHttp::sessions);
        let sse = all.iter().filter_map(|faces| faces.sse.as_ref()).map(HttpSse::sessions);
        (mcp.sum(), sse.sum())
    }

    /// Ends the remaining sessions and calls.
    pub async fn close(&self) {
        let all = self.all();
        futures_util::future::join_all(all.iter().map(UpstreamFaces::close)).await;
    }

    fn all(&self) -> Vec<UpstreamFaces> {
        let named = self.0.named.read();
        std::iter::once(&self.0.root).chain(named.values()).cloned().collect()
    }

    fn named(&self, segment: &str) -> Option<UpstreamFaces> {
        let name = decode(segment)?;
        self.0.named.read().get(&*name).cloned()
    }
}

type McpFuture = <StreamableHttp as Service<Request<Incoming>>>::Future;
type OpenApiFuture = crossway_openapi::face::ResponseFuture;
type SseFuture = <HttpSse as Service<Request<Incoming>>>::Future;

impl Service<Request<Incoming>> for Faces {
    type Response = Response<FaceBody>;
    type Error = Infallible;
    type Future = FaceFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> FaceFuture {
        self.send(request)
    }
}

impl Faces {
    /// Sends a request to its face.
    pub(crate) fn send(&self, mut request: Request<Incoming>) -> FaceFuture {
        let below = segment_of_name(request.uri().path())
            .and_then(|(segment, length)| Some((self.named(segment)?, length)));
        match below {
            Some((faces, length)) => {
                cut_path(request.uri_mut(), length);
                faces.call(request)
            }
            None if segment_of_name(request.uri().path()).is_some() && is_of_mcp(request.uri().path()) => {
                self.not_named()
            }
            None => self.0.root.call(request),
        }
    }
}

impl Faces {
    /// Returns the answer below an unknown name.
    fn not_named(&self) -> FaceFuture {
        if !self.0.tells_names {
            return FaceFuture::nowhere();
        }
        let mut names: Vec<String> = {
            let named = self.0.named.read();
            named.keys().map(|name| format!("/{}/mcp", encode_segment(name))).collect()
        };
        names.sort_unstable();
        let more = if names.len() > NAMES_TOLD { ", ..." } else { "" };
        names.truncate(NAMES_TOLD);
        let told = format!("nothing is here: Streamable HTTP is at /mcp, {}{more}", names.join(", "));
        let told =
            serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": told } });
        FaceFuture::not_here(told.to_string())
    }
}

#[derive(Clone, Copy)]
enum Face {
    Mcp,
    Sse,
}

impl Face {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/mcp" | "/mcp/" => Some(Self::Mcp),
            // No trailing slash: the endpoint that its stream gives the client is relative to the path.
            "/sse" | "/message" => Some(Self::Sse),
            _ => None,
        }
    }
}

/// Returns the server's name in a path, percent-decoded, if the path has one.
pub(crate) fn name_in(path: &str) -> Option<Cow<'_, str>> {
    decode(segment_of_name(path)?.0)
}

/// Whether a path belongs to an MCP face.
pub(crate) fn is_of_mcp(path: &str) -> bool {
    Face::of(path).is_some()
        || first_segment(path).is_some_and(|(_, length)| Face::of(&path[length..]).is_some())
}

/// Whether a path belongs to an OpenAPI document or its page.
pub(crate) fn is_of_document(path: &str) -> bool {
    ["/openapi.json", "/docs", "/docs/app.js", "/docs/app.css"].iter().any(|end| path.ends_with(end))
}

/// Returns a path's first segment and its length with the slash, if it is a name.
fn segment_of_name(path: &str) -> Option<(&str, usize)> {
    let is_roots = path.starts_with("/docs/app.");
    first_segment(path).filter(|_| !is_roots && Face::of(path).is_none())
}

/// Returns the canonical path of the MCP endpoint that a request's path belongs to, without checking that anything is served there.
/// Messages of HTTP+SSE belong to the endpoint that opened their stream.
pub(crate) fn endpoint(path: &str) -> Option<String> {
    let written = |face| match face {
        Face::Mcp => "/mcp",
        Face::Sse => "/sse",
    };
    if let Some(face) = Face::of(path) {
        return Some(written(face).to_owned());
    }
    let (segment, length) = first_segment(path)?;
    let face = Face::of(&path[length..])?;
    Some(format!("/{}{}", encode_segment(&decode(segment)?), written(face)))
}

/// Returns a path's first segment, still percent-encoded, and its length with the slash.
fn first_segment(path: &str) -> Option<(&str, usize)> {
    let rest = path.strip_prefix('/')?;
    let segment = &rest[..rest.find('/')?];
    Some((segment, segment.len() + 1))
}

/// Removes the first `length` bytes of the path, so that the face sees its path without the name.
fn cut_path(uri: &mut Uri, length: usize) {
    let rest = uri.path_and_query().map_or("/", |path| &path.as_str()[length..]);
    if let Ok(path) = rest.parse::<PathAndQuery>() {
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(path);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

/// Percent-decodes a path segment (RFC 3986, section 2.1). Returns `None` if the result is not UTF-8.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    percent_encoding::percent_decode_str(segment).decode_utf8().ok()
}

/// Returns a JSON response that comes from no face.
pub(crate) fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<FaceBody> {
    let mut response = Response::new(Either::Right(Either::Right(Full::from(body.into()))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

type McpBody = crossway_streamable_http::server::Body;
type SseBody = crossway_http_sse::Body;
/// The body of a face's response.
pub type FaceBody = Either<McpBody, Either<SseBody, Full<Bytes>>>;

/// The future of a face's response.
#[pin_project(project = FaceFutureProjection)]
#[expect(clippy::large_enum_variant, reason = "hyper keeps one per connection, of the larger kind")]
pub enum FaceFuture {
    /// From Streamable HTTP.
    Mcp(#[pin] McpFuture),
    /// From HTTP+SSE.
    Sse(#[pin] SseFuture),
    /// From OpenAPI.
    OpenApi(OpenApiFuture),
    /// From no face.
    Nowhere(Ready<Response<FaceBody>>),
}

impl FaceFuture {
    /// Returns the answer at unknown paths.
    pub(crate) fn nowhere() -> Self {
        Self::not_here(NOT_HERE)
    }

    /// Returns a permanent redirect.
    fn moved(to: &'static str) -> Self {
        let mut response = answer(StatusCode::PERMANENT_REDIRECT, "");
        response.headers_mut().insert(LOCATION, HeaderValue::from_static(to));
        Self::Nowhere(std::future::ready(response))
    }

    fn not_here(told: impl Into<Bytes>) -> Self {
        Self::Nowhere(std::future::ready(answer(StatusCode::NOT_FOUND, told)))
    }

    /// Returns the answer at unknown paths, in the form of the OpenAPI face's errors.
    pub(crate) fn nothing() -> Self {
        Self::not_here(NOTHING_HERE)
    }
}

impl Future for FaceFuture {
    type Output = Result<Response<FaceBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project() {
            FaceFutureProjection::Mcp(future) => ready!(future.poll(cx))?.map(Either::Left),
            FaceFutureProjection::Sse(future) => {
                ready!(future.poll(cx))?.map(|body| Either::Right(Either::Left(body)))
            }
            FaceFutureProjection::OpenApi(future) => {
                ready!(Pin::new(future).poll(cx))?.map(|body| Either::Right(Either::Right(body)))
            }
            FaceFutureProjection::Nowhere(response) => ready!(Pin::new(response).poll(cx)),
        }))
    }
}

impl std::fmt::Debug for FaceFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaceFuture")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_off_before_a_face_sees_the_path() {
        let path = "/my%20server/message?sessionId=1";
        let mut uri: Uri = format!("http://h{path}").parse().unwrap();
        let (segment, length) = first_segment(path).unwrap();
        assert_eq!(decode(segment).as_deref(), Some("my server"));
        cut_path(&mut uri, length);
        assert_eq!(uri, "http://h/message?sessionId=1");
        assert!(Face::of(uri.path()).is_some());
    }

    #[test]
    fn names_come_back_from_urls_as_they_were() {
        for name in ["github", "my server", "a/b", "..", "ä%2f", "?#"] {
            let encoded = encode_segment(name);
            assert!(!encoded.contains(['/', '?', '#', ' ']), "{encoded}");
            assert_eq!(decode(&encoded).as_deref(), Some(name));
        }
        assert_eq!(decode("%ff"), None);
        assert!(first_segment("/name").is_none() && first_segment("").is_none());
    }
}

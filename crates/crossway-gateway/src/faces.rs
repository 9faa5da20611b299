//! The two faces of a bridge on one listener: Streamable HTTP at `/mcp`, HTTP+SSE at `/sse` and `/message`.

use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crossway_http_sse::HttpSse;
use crossway_streamable_http::server::StreamableHttp;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use pin_project::pin_project;
use tower_service::Service;

/// What is said where nothing is.
const NOT_HERE: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"nothing is here: Streamable HTTP is at /mcp, HTTP+SSE at /sse"}}"#;

/// Sends each request to the face whose path it has.
#[derive(Debug, Clone)]
pub struct Faces {
    mcp: StreamableHttp,
    sse: HttpSse,
}

impl Faces {
    /// Serves both.
    #[must_use]
    pub fn new(mcp: StreamableHttp, sse: HttpSse) -> Self {
        Self { mcp, sse }
    }

    /// From now on there are no new sessions; what is in flight goes on.
    pub fn drain(&self) {
        self.mcp.drain();
        self.sse.drain();
    }

    /// Ends what is left.
    pub async fn close(&self) {
        self.sse.close();
        self.mcp.close().await;
        self.sse.drained().await;
    }
}

type McpFuture = <StreamableHttp as Service<Request<Incoming>>>::Future;
type SseFuture = <HttpSse as Service<Request<Incoming>>>::Future;

impl Service<Request<Incoming>> for Faces {
    type Response = Response<FaceBody>;
    type Error = Infallible;
    type Future = FaceFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> FaceFuture {
        match request.uri().path() {
            "/mcp" | "/mcp/" => FaceFuture::Mcp(self.mcp.call(request)),
            "/sse" | "/message" => FaceFuture::Sse(self.sse.call(request)),
            _ => FaceFuture::Nowhere(std::future::ready(nowhere())),
        }
    }
}

fn nowhere() -> Response<FaceBody> {
    let mut response = Response::new(Either::Right(Either::Right(Full::from(NOT_HERE))));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

type McpBody = crossway_streamable_http::server::Body;
type SseBody = crossway_http_sse::Body;
/// A body of either face.
pub type FaceBody = Either<McpBody, Either<SseBody, Full<Bytes>>>;

/// The response of either face.
#[pin_project(project = FaceFutureProjection)]
#[expect(clippy::large_enum_variant, reason = "hyper keeps one per connection, of the larger kind")]
pub enum FaceFuture {
    /// Of Streamable HTTP.
    Mcp(#[pin] McpFuture),
    /// Of HTTP+SSE.
    Sse(#[pin] SseFuture),
    /// Of neither.
    Nowhere(Ready<Response<FaceBody>>),
}

impl Future for FaceFuture {
    type Output = Result<Response<FaceBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project() {
            FaceFutureProjection::Mcp(future) => ready!(future.poll(cx))?.map(Either::Left),
            FaceFutureProjection::Sse(future) => {
                ready!(future.poll(cx))?.map(|body| Either::Right(Either::Left(body)))
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

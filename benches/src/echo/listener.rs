//! The common part of both HTTP faces: the listener, the connections, the plain refusals.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, ORIGIN};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::body::Answered;
use super::rpc;

pub(crate) const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// The listener's pause when no descriptor is left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The header of the client's credential.
const CREDENTIAL: HeaderName = HeaderName::from_static("x-echo-credential");

/// Returns the client's credential.
pub(crate) fn credential_in(headers: &HeaderMap) -> Option<&str> {
    headers.get(CREDENTIAL)?.to_str().ok()
}

/// One way of serving MCP over HTTP.
pub(crate) trait Face: Send + Sync + 'static {
    /// Answers one request whose origin was checked.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Answered>> + Send;
}

/// Serves for ever; prints the URL of `path` once it accepts connections.
pub(crate) fn serve(listen: SocketAddr, threads: u16, path: &str, face: impl Face) -> anyhow::Result<()> {
    crate::descriptors::raise_limit(u64::MAX);
    let runtime = if threads == 1 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads.into()).enable_all().build()?
    };
    runtime.block_on(async {
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("could not listen on {listen}"))?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "listening on http://{}{path}", listener.local_addr()?)?;
        stdout.flush()?;
        accept(listener, Arc::new(face)).await
    })
}

async fn accept(listener: TcpListener, face: Arc<impl Face>) -> anyhow::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream, face.clone()));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve_connection(stream: TcpStream, face: Arc<impl Face>) {
    // Without it, small answers would wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| async {
        let foreign = request.headers().get(ORIGIN).is_some_and(|origin| !is_loopback(origin));
        Ok::<_, Infallible>(if foreign {
            refuse(StatusCode::FORBIDDEN, "the origin is not allowed")
        } else {
            face.answer(request).await
        })
    });
    // A client that disconnects is no error of the server's.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Browsers send the page's origin; only pages of this machine are allowed.
fn is_loopback(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| url::Url::parse(origin).ok());
    matches!(host.as_ref().and_then(url::Url::host_str), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// A response with a body.
pub(crate) fn respond(status: StatusCode, content_type: HeaderValue, body: Answered) -> Response<Answered> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A response without a body.
pub(crate) fn respond_empty(status: StatusCode) -> Response<Answered> {
    let mut response = Response::new(Answered::Whole(Bytes::new().into()));
    *response.status_mut() = status;
    response
}

/// A refusal, as a JSON-RPC error without an id.
pub(crate) fn refuse(status: StatusCode, why: &str) -> Response<Answered> {
    let body = rpc::error(b"null", -32600, why, "").last;
    respond(status, APPLICATION_JSON, Answered::Whole(body.into()))
}

/// The refusal of an HTTP method.
pub(crate) fn refuse_verb(allowed: &'static str) -> Response<Answered> {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "the method is not allowed here");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_of_this_machine_are_allowed() {
        for origin in ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:1"] {
            assert!(is_loopback(&HeaderValue::from_static(origin)), "{origin}");
        }
        for origin in ["http://localhost.evil.example", "http://192.0.2.1", "null", ""] {
            assert!(!is_loopback(&HeaderValue::from_static(origin)), "{origin}");
        }
    }
}

//! HTTP/2: how exchanges share connections.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crossway_service::{Link, Outcome, Scope, Upstream};
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::peer::{ask, call, message, modern, next, result};
use super::tls::{Certified, certified};
use crate::client::{Limits, Options, StreamableHttpUpstream};

const NOTIFICATION: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// An HTTP/2 server that allows a number of streams on each connection. It answers calls, and keeps subscriptions open.
struct Server {
    upstream: StreamableHttpUpstream,
    connections: Arc<AtomicUsize>,
    /// The numbers of connections that have ended.
    ended: mpsc::Receiver<usize>,
}

impl Server {
    async fn new(streams: u32, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
        let Certified { server, client } = certified(b"h2");
        let connections = Arc::new(AtomicUsize::new(0));
        let (ends, ended) = mpsc::channel(64);
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let nth = count.fetch_add(1, Ordering::SeqCst) + 1;
                let (acceptor, ends) = (TlsAcceptor::from(Arc::clone(&server)), ends.clone());
                tokio::spawn(async move {
                    let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                    let mut builder = Builder::new(TokioExecutor::new());
                    builder.max_concurrent_streams(streams);
                    let _ = builder.serve_connection(stream, service_fn(answer)).await;
                    let _ = ends.send(nth).await;
                });
            }
        });
        let options = Options::default().tls(client).limits(limits);
        let upstream = StreamableHttpUpstream::new(&url, options).unwrap();
        Self { upstream, connections, ended }
    }

    fn link(&self) -> Link {
        self.upstream.connect(Scope::Shared)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let stands = request.headers()["mcp-method"] == "subscriptions/listen";
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let id = message(std::str::from_utf8(&body).unwrap()).id().unwrap().as_u64().unwrap();
    let (kind, body) = if stands {
        let event = Bytes::from(format!("data: {NOTIFICATION}\n\n"));
        let events = futures_util::stream::iter([Ok(Frame::data(event))]);
        ("text/event-stream", StreamBody::new(events.chain(futures_util::stream::pending())).boxed_unsync())
    } else {
        ("application/json", Full::<Bytes>::from(result(id)).boxed_unsync())
    };
    Ok(Response::builder().header("content-type", kind).body(body).unwrap())
}

#[tokio::test]
async fn standing_streams_leave_room_for_calls() {
    let server = Server::new(2, Limits::default()).await;
    let link = server.link();
    let mut standing = Vec::new();
    for id in 71..=72 {
        let mut reply = call(&link, &modern(id, "subscriptions/listen", ""));
        assert_eq!(next(&mut reply).await, Some(Ok(NOTIFICATION.to_owned())));
        standing.push(reply);
    }
    assert_eq!(server.connections(), 1);
    for id in 73..76 {
        assert_eq!(ask(&link, modern(id, "tools/list", "")).await, Ok(result(id)));
    }
    assert_eq!(server.connections(), 2);
    drop(standing);
}

#[tokio::test]
async fn standing_streams_that_come_at_once_have_connections_enough() {
    let server = Server::new(2, Limits::default()).await;
    let link = server.link();
    let standing = futures_util::future::join_all((71..=79).map(|id| {
        let mut reply = call(&link, &modern(id, "subscriptions/listen", ""));
        async move {
            assert_eq!(next(&mut reply).await, Some(Ok(NOTIFICATION.to_owned())));
            reply
        }
    }))
    .await;
    assert_eq!(server.connections(), 5);
    // What is let go makes room.
    drop(standing);
    assert_eq!(ask(&link, modern(80, "tools/list", "")).await, Ok(result(80)));
    assert_eq!(server.connections(), 5);
}

#[tokio::test]
async fn a_connection_has_no_more_exchanges_than_the_bound_though_its_server_allows_them() {
    let server = Server::new(1000, Limits::default()).await;
    let link = server.link();
    let bound = crate::client::limits::HTTP2_EXCHANGES as u64;
    let mut standing = Vec::new();
    for id in 2001..=2000 + bound {
        let mut reply = call(&link, &modern(id, "subscriptions/listen", ""));
        assert_eq!(next(&mut reply).await, Some(Ok(NOTIFICATION.to_owned())));
        standing.push(reply);
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(ask(&link, modern(1000, "tools/list", "")).await, Ok(result(1000)));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn connections_without_exchanges_end() {
    let limits = Limits { pool_idle: Duration::from_millis(1), ..Limits::default() };
    let mut server = Server::new(1, limits).await;
    let link = server.link();
    let mut standing = call(&link, &modern(71, "subscriptions/listen", ""));
    assert_eq!(next(&mut standing).await, Some(Ok(NOTIFICATION.to_owned())));
    assert_eq!(ask(&link, modern(72, "tools/list", "")).await, Ok(result(72)));
    // The one that carries a stream stays.
    assert_eq!(server.ended.recv().await, Some(2));
    assert!(server.ended.try_recv().is_err());
    drop(standing);
    assert_eq!(server.ended.recv().await, Some(1));
}

/// Encodes a frame, which a scripted server sends when a request comes.
fn frame(kind: u8, stream: u32, payload: &[u32]) -> Vec<u8> {
    let length = u32::try_from(payload.len() * 4).unwrap();
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, 0]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload.iter().flat_map(|word| word.to_be_bytes()));
    frame
}

fn reset(stream: u32, reason: h2::Reason) -> Vec<u8> {
    frame(3, stream, &[reason.into()])
}

fn go_away(last_stream: u32, reason: h2::Reason) -> Vec<u8> {
    frame(7, 0, &[last_stream, reason.into()])
}

/// A server whose first connection sends what the script returns for each request, by the number of its stream. The
/// other connections answer. Counts the requests of the first.
async fn scripted(script: impl Fn(u32) -> Vec<u8> + Send + 'static) -> (Link, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
    let Certified { server, client } = certified(b"h2");
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(server);
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        tokio::spawn(async move {
            stream.write_all(&frame(4, 0, &[])).await.unwrap();
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            let mut head = [0; 9];
            while stream.read_exact(&mut head).await.is_ok() {
                let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                stream.read_exact(&mut payload).await.unwrap();
                // HEADERS
                if head[3] == 1 {
                    count.fetch_add(1, Ordering::SeqCst);
                    let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                    stream.write_all(&script(number)).await.unwrap();
                }
            }
        });
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                let _ = Builder::new(TokioExecutor::new()).serve_connection(stream, service_fn(answer)).await;
            });
        }
    });
    let upstream = StreamableHttpUpstream::new(&url, Options::default().tls(client)).unwrap();
    (upstream.connect(Scope::Shared), requests)
}

#[tokio::test]
async fn what_a_server_goes_away_from_is_sent_again() {
    let (link, requests) = scripted(|_| go_away(0, h2::Reason::NO_ERROR)).await;
    assert_eq!(ask(&link, modern(71, "tools/list", "")).await, Ok(result(71)));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_a_server_refuses_before_it_looks_at_it_is_sent_again() {
    let refused = |stream| [reset(stream, h2::Reason::REFUSED_STREAM), go_away(stream, h2::Reason::NO_ERROR)];
    let (link, requests) = scripted(move |stream| refused(stream).concat()).await;
    assert_eq!(ask(&link, modern(71, "tools/list", "")).await, Ok(result(71)));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_refused_each_time_was_not_sent() {
    let (link, requests) = scripted(|stream| reset(stream, h2::Reason::REFUSED_STREAM)).await;
    let error = ask(&link, modern(71, "tools/list", "")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("refuses requests"), "{error}");
    assert_eq!(requests.load(Ordering::SeqCst), crate::client::limits::STALE_CONNECTIONS);
}

#[tokio::test]
async fn what_a_server_breaks_off_may_have_had_its_effect() {
    for said in [reset(1, h2::Reason::INTERNAL_ERROR), go_away(0, h2::Reason::INTERNAL_ERROR)] {
        let (link, requests) = scripted(move |_| said.clone()).await;
        let error = ask(&link, modern(71, "tools/list", "")).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}

//! Keep-alive during silence, in paused time: over a pipe, since time can't be paused for sockets.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use crossway_http_sse::{Body, Config, HttpSse, ServerLimits};
use crossway_service::{Call, CallError, Connection, Link, Reason, Reply, RequestLimiter, Scope, Upstream};
use crossway_testkit::{Scripted, Server, settle};
use futures_util::stream::pending;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::time::Instant;
use tower_service::Service;

async fn open() -> (Response<Body>, Server) {
    let (upstream, mut connections) = Scripted::new();
    let response = stream(&HttpSse::new(upstream, Config::default())).await;
    (response, connections.recv().await.unwrap().1)
}

async fn stream(service: &HttpSse) -> Response<Body> {
    let request = Request::get("/sse").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    service.clone().call(request).await.unwrap()
}

/// A POST to the session of a stream.
async fn post_to<B>(stream: &mut Response<Body>, body: B) -> Request<B> {
    let event = piece(stream).await;
    let endpoint = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let request = Request::post(format!("/{endpoint}")).header("host", "localhost");
    request.header("content-type", "application/json").body(body).unwrap()
}

async fn piece(stream: &mut Response<Body>) -> String {
    let frame = stream.body_mut().frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_alive_by_a_comment_each_15_seconds() {
    let (mut stream, _server) = open().await;
    assert!(piece(&mut stream).await.starts_with("event: endpoint\n"));
    for _ in 0..3 {
        let before = Instant::now();
        assert_eq!(piece(&mut stream).await, ":\n\n");
        assert_eq!(before.elapsed().as_secs(), ServerLimits::KEEP_ALIVE.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_speaks_needs_no_comments() {
    let (mut stream, server) = open().await;
    assert!(piece(&mut stream).await.starts_with("event: endpoint\n"));
    let speaking = tokio::spawn(async move {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            server.send(r#"{"jsonrpc":"2.0","method":"m"}"#);
        }
        server
    });
    for _ in 0..10 {
        assert_eq!(
            piece(&mut stream).await,
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n\n"
        );
    }
    let before = Instant::now();
    assert_eq!(piece(&mut stream).await, ":\n\n");
    assert_eq!(before.elapsed().as_secs(), ServerLimits::KEEP_ALIVE.as_secs());
    drop(speaking.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_keep_alive_is_silent_for_any_time() {
    let (upstream, mut connections) = Scripted::new();
    let mut limits = ServerLimits::default();
    limits.keep_alive = Duration::MAX;
    let mut stream = stream(&HttpSse::new(upstream, Config::new().limits(limits))).await;
    let _server = connections.recv().await.unwrap();
    assert!(piece(&mut stream).await.starts_with("event: endpoint\n"));
    let next = tokio::time::timeout(Duration::from_secs(3600), piece(&mut stream)).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_may_stall_for_any_time_is_given_up_in_all_its_time() {
    let (upstream, _connections) = Scripted::new();
    let mut limits = ServerLimits::default();
    limits.body_stall = Duration::MAX;
    let service = HttpSse::new(upstream, Config::new().limits(limits));
    let mut stream = stream(&service).await;
    let never: StreamBody<_> = StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>());
    let request = post_to(&mut stream, never).await;
    let response = service.clone().call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

/// A server that can't be connected to.
struct Away;

impl Upstream for Away {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Away)
    }
}

impl Connection for Away {
    fn call(&self, _: Call) -> Reply {
        Reply::failed(CallError::not_sent(Reason::Unavailable("nobody listens".into())))
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_first_message_is_answered_at_once() {
    let service = HttpSse::new(Away, Config::default());
    let mut stream = stream(&service).await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let mut request = post_to(&mut stream, Full::new(Bytes::from_static(ping.as_bytes()))).await;
    request.extensions_mut().insert(RequestLimiter::new(|| {
        Err(CallError::not_sent(Reason::OverLimit("too many requests".into())))
    }));
    let before = Instant::now();
    let reading = tokio::spawn(async move { piece(&mut stream).await });
    settle().await;
    assert_eq!(service.clone().call(request).await.unwrap().status(), StatusCode::ACCEPTED);
    let refused = reading.await.unwrap();
    assert!(refused.contains("too many requests"), "{refused}");
    assert_eq!(before.elapsed(), Duration::ZERO);
}

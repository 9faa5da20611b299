//! Keep-alive during silence, in paused time: over a pipe, since time can't be paused for sockets.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use crossway_http_sse::{Body, Config, HttpSse, ServerLimits};
use crossway_testkit::{Scripted, Server};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tokio::time::Instant;
use tower_service::Service;

async fn open() -> (Response<Body>, Server) {
    let (upstream, mut connections) = Scripted::new();
    let mut service = HttpSse::new(upstream, Config::default());
    let request = Request::get("/sse").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    let response = service.call(request).await.unwrap();
    (response, connections.recv().await.unwrap().1)
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

//! The server over real sockets: sessions, answers and refusals.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::net::SocketAddr;

use crossway_http_sse::{Config, HttpSse, ServerLimits};
use crossway_service::{Call, CallError, Connection, ErrorText, Link, Reason, Reply, Scope, Upstream};
use crossway_testkit::{Scripted, Server, corpus};
use support::{Http, ask, message, post, post_of, serve, soon};
use tokio::sync::mpsc;

type Connections = mpsc::Receiver<(Scope, Server)>;

async fn scripted(config: Config) -> (HttpSse, SocketAddr, Connections) {
    let (upstream, connections) = Scripted::new();
    let service = HttpSse::new(upstream, config);
    let address = serve(service.clone()).await;
    (service, address, connections)
}

/// Opens a session, and returns it with the server's end.
async fn open(address: SocketAddr, connections: &mut Connections) -> (Http, String, Server) {
    let (stream, endpoint) = Http::open(address, "/sse").await;
    let (scope, server) = soon(connections.recv()).await.unwrap();
    assert_eq!(scope, Scope::Session);
    (stream, endpoint, server)
}

fn limited(change: impl FnOnce(&mut ServerLimits)) -> Config {
    let mut limits = ServerLimits::default();
    change(&mut limits);
    Config::new().limits(limits)
}

fn ping(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)
}

/// An upstream whose results are the requests' params.
fn echoing() -> Scripted {
    Scripted::answering(|message| {
        let Some(id) = message.id() else { return Vec::new() };
        let params = String::from_utf8_lossy(message.params().unwrap_or(b"null")).into_owned();
        vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{params}}}"#)]
    })
}

#[tokio::test]
async fn a_stream_opens_with_its_endpoint_and_is_not_to_be_buffered_or_changed() {
    let (service, address, _connections) = scripted(Config::default()).await;
    let mut http = Http::connect(address).await;
    http.write("GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n").await;
    let head = http.head().await.unwrap();
    assert_eq!(head.status(), 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(head.header(name), Some(value));
    }
    let event = http.event().await.unwrap();
    assert_eq!(event.event, "endpoint");
    let endpoint = String::from_utf8(event.data.to_vec()).unwrap();
    let id = endpoint.strip_prefix("message?sessionId=").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(service.sessions(), 1);
}

#[tokio::test]
async fn a_post_is_answered_202_before_the_upstreams_answer_which_comes_on_the_stream() {
    let (_service, address, mut connections) = scripted(Config::default()).await;
    let (mut stream, endpoint, server) = open(address, &mut connections).await;
    let (head, body) = ask(address, post_of(&endpoint, &ping("\"a\""))).await;
    assert_eq!((head.status(), body.as_str()), (202, "Accepted"));
    let id = server.expect("ping").await;
    server.answer(&id, "{}");
    assert_eq!(stream.message().await, r#"{"jsonrpc":"2.0","id":"a","result":{}}"#);
}

#[tokio::test]
async fn twenty_calls_at_once_in_two_sessions_with_the_same_ids_get_their_own_answers() {
    let address = serve(HttpSse::new(echoing(), Config::default())).await;
    let mut sessions = [Http::open(address, "/sse").await, Http::open(address, "/sse").await];
    let call = |session: usize, id: usize| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"echo","params":{{"who":"{session}-{id}"}}}}"#)
    };
    let mut posts = Vec::new();
    for (session, (_, endpoint)) in sessions.iter().enumerate() {
        for id in 0..20 {
            let (endpoint, call) = (endpoint.clone(), call(session, id));
            posts.push(tokio::spawn(async move { post(address, &endpoint, &call).await }));
        }
    }
    for post in posts {
        assert_eq!(soon(post).await.unwrap(), 202);
    }
    for (session, (stream, _)) in sessions.iter_mut().enumerate() {
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(stream.message().await);
        }
        answers.sort();
        let answer = |id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"who":"{session}-{id}"}}}}"#);
        let mut expected: Vec<_> = (0..20).map(answer).collect();
        expected.sort();
        assert_eq!(answers, expected);
    }
}

#[tokio::test]
async fn messages_of_the_server_and_their_answers_pass() {
    let (_service, address, mut connections) = scripted(Config::default()).await;
    let (mut stream, endpoint, server) = open(address, &mut connections).await;
    let asked = r#"{"jsonrpc":"2.0","id":"r1","method":"roots/list"}"#;
    server.send(asked);
    assert_eq!(stream.message().await, asked);
    let answer = r#"{"jsonrpc":"2.0","id":"r1","result":{"roots":[]}}"#;
    assert_eq!(post(address, &endpoint, answer).await, 202);
    assert_eq!(server.receive().await.unwrap(), message(answer));
}

#[tokio::test]
async fn line_breaks_within_messages_pass_as_white_space() {
    let address = serve(HttpSse::new(echoing(), Config::default())).await;
    let (mut stream, endpoint) = Http::open(address, "/sse").await;
    let call = "{\r\n \"jsonrpc\": \"2.0\",\n \"id\": 1,\r \"method\": \"m\",\n \"params\": {\"a\":\r\n [1,\n2]}\r\n}\n";
    assert_eq!(post(address, &endpoint, call).await, 202);
    // An event stream has only one kind of line break.
    assert_eq!(stream.message().await, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\n\n [1,\n2]}}");
}

#[tokio::test]
async fn one_path_can_serve_for_both() {
    let config = Config::new().paths("/mcp", "/mcp").unwrap();
    let address = serve(HttpSse::new(echoing(), config)).await;
    let (mut stream, endpoint) = Http::open(address, "/mcp").await;
    assert!(endpoint.starts_with("?sessionId="), "{endpoint}");
    assert_eq!(post(address, &format!("mcp{endpoint}"), &ping("1")).await, 202);
    assert_eq!(stream.message().await, r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
    let (head, _) = ask(address, "PUT /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((head.status(), head.header("allow")), (405, Some("GET, POST")));
}

#[tokio::test]
async fn a_slow_reader_holds_up_its_own_stream_alone_and_is_refused_more() {
    let config = limited(|limits| limits.service.inbox_messages = 8);
    let address = serve(HttpSse::new(echoing(), config)).await;
    let (mut slow, slow_endpoint) = Http::open(address, "/sse").await;
    let (mut quick, quick_endpoint) = Http::open(address, "/sse").await;
    let large = corpus::call_with_text(1, 1 << 20);
    // The client never reads, so sooner or later its messages are refused.
    let mut taken = 0;
    let refusal = loop {
        let (head, body) = ask(address, post_of(&slow_endpoint, &large)).await;
        match head.status() {
            202 => taken += 1,
            status => break (status, head.header("retry-after").map(str::to_owned), body),
        }
        assert!(taken < 100, "what nobody reads is taken without end");
    };
    assert_eq!((refusal.0, refusal.1.as_deref()), (429, Some("1")));
    assert_eq!(message(refusal.2).id().unwrap().to_string(), "1");
    // Messages that may let a call end are still accepted.
    for text in [
        r#"{"jsonrpc":"2.0","id":"q","result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"none"}}"#,
    ] {
        assert_eq!(post(address, &slow_endpoint, text).await, 202);
    }

    assert_eq!(post(address, &quick_endpoint, &ping("1")).await, 202);
    assert_eq!(quick.message().await, r#"{"jsonrpc":"2.0","id":1,"result":null}"#);

    // Accepted requests are answered once the client reads.
    for _ in 0..taken {
        assert!(slow.message().await.len() > 1 << 20);
    }
    assert_eq!(post(address, &slow_endpoint, &ping("2")).await, 202);
    assert_eq!(slow.message().await, r#"{"jsonrpc":"2.0","id":2,"result":null}"#);
}

#[tokio::test]
async fn there_are_no_more_sessions_than_the_limit() {
    let (service, address, mut connections) = scripted(limited(|limits| limits.sessions = 2)).await;
    let (first, _, _upstream) = open(address, &mut connections).await;
    let _second = open(address, &mut connections).await;
    let get = "GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (head, body) = ask(address, get).await;
    assert_eq!((head.status(), head.header("retry-after")), (503, Some("1")));
    assert!(message(body).error().is_some());
    drop(first);
    while service.sessions() == 2 {
        tokio::task::yield_now().await;
    }
    open(address, &mut connections).await;
}

#[tokio::test]
async fn when_the_upstream_ends_calls_fail_on_the_stream_which_then_ends() {
    let (service, address, mut connections) = scripted(Config::default()).await;
    let (mut stream, endpoint, server) = open(address, &mut connections).await;
    assert_eq!(post(address, &endpoint, &ping("7")).await, 202);
    server.expect("ping").await;
    drop(server);
    let error = stream.message().await;
    assert!(
        error.starts_with(r#"{"jsonrpc":"2.0","id":7,"error":"#) && error.contains("sent, unknown"),
        "{error}"
    );
    assert!(stream.event().await.is_none());
    soon(service.drained()).await;
    assert_eq!(post(address, &endpoint, &ping("8")).await, 404);
}

/// An upstream that can't be reached.
struct Unreachable;

impl Upstream for Unreachable {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self)
    }
}

impl Connection for Unreachable {
    fn call(&self, _: Call) -> Reply {
        Reply::failed(CallError::not_sent(Reason::Unavailable(ErrorText::public("nobody listens"))))
    }
}

#[tokio::test]
async fn an_upstream_that_fails_before_the_first_message_is_told_in_its_answer() {
    let service = HttpSse::new(Unreachable, Config::default());
    let address = serve(service.clone()).await;
    let (mut stream, endpoint) = Http::open(address, "/sse").await;
    assert_eq!(post(address, &endpoint, &ping("1")).await, 202);
    let error = stream.message().await;
    assert!(error.contains(r#""id":1,"error":"#) && error.contains("nobody listens"), "{error}");
    assert!(stream.event().await.is_none());
    soon(service.drained()).await;
}

#[tokio::test]
async fn a_session_whose_upstream_has_failed_before_the_first_message_can_be_drained() {
    let service = HttpSse::new(Unreachable, Config::default());
    let address = serve(service.clone()).await;
    let (mut stream, _) = Http::open(address, "/sse").await;
    service.drain();
    assert!(stream.event().await.is_none());
    soon(service.drained()).await;
}

#[tokio::test]
async fn draining_ends_idle_streams_at_once_and_others_after_their_answers() {
    let (service, address, mut connections) = scripted(Config::default()).await;
    let (mut idle, ..) = open(address, &mut connections).await;
    let (mut busy, endpoint, server) = open(address, &mut connections).await;
    assert_eq!(post(address, &endpoint, &ping("1")).await, 202);
    let id = server.expect("ping").await;

    service.drain();
    assert!(idle.event().await.is_none());
    let (head, _) = ask(address, "GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((head.status(), head.header("retry-after")), (503, Some("1")));
    assert_eq!(post(address, &endpoint, &ping("2")).await, 503);
    // Calls in flight may need responses.
    assert_eq!(post(address, &endpoint, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await, 202);

    server.answer(&id, "{}");
    assert_eq!(busy.message().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(busy.event().await.is_none());
    soon(service.drained()).await;
}

#[tokio::test]
async fn closing_fails_what_is_in_flight_and_ends_all_streams() {
    let (service, address, mut connections) = scripted(Config::default()).await;
    let (mut stream, endpoint, server) = open(address, &mut connections).await;
    assert_eq!(post(address, &endpoint, &ping("1")).await, 202);
    server.expect("ping").await;
    service.close();
    let error = stream.message().await;
    assert!(
        error.contains(r#""id":1,"error":{"code":-31002,"#) && error.contains("sent, unknown"),
        "{error}"
    );
    assert!(stream.event().await.is_none());
    assert!(server.receive().await.unwrap().is_method("notifications/cancelled"));
    assert!(server.receive().await.is_none());
    soon(service.drained()).await;
}

#[tokio::test]
async fn a_closed_stream_ends_the_session_upstream() {
    let (service, address, mut connections) = scripted(Config::default()).await;
    let (stream, _, server) = open(address, &mut connections).await;
    drop(stream);
    assert!(soon(server.receive()).await.is_none());
    soon(service.drained()).await;
    assert_eq!(service.sessions(), 0);
}

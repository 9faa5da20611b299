//! The server's handling of bad requests, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use crossway_http_sse::{Config, HttpSse, ServerLimits, SessionOwner};
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_service::{CallError, Limits, Reason, RequestLimiter, Scope};
use crossway_testkit::{Scripted, Server, corpus};
use http_body_util::{BodyExt, Full};
use support::{Http, ask, message, post, post_of, serve, soon};
use tokio::sync::mpsc;
use tower_service::Service;

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
async fn odd_but_valid_bodies_are_served() {
    let address = serve(HttpSse::new(echoing(), Config::default())).await;
    let (mut stream, endpoint) = Http::open(address, "/sse").await;
    for request in corpus::ODD_REQUESTS
        .iter()
        .copied()
        .chain(["\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}"])
    {
        assert_eq!(post(address, &endpoint, request).await, 202, "{request}");
        let id = message(request).id().unwrap();
        assert_eq!(message(stream.message().await).id().unwrap().as_json(), id.as_json(), "{request}");
    }
}

#[tokio::test]
async fn what_is_unknown_or_has_no_answer_is_handed_on() {
    let (_service, address, mut connections) = scripted(Config::default()).await;
    let (_stream, endpoint, server) = open(address, &mut connections).await;
    for text in [
        r#"{"jsonrpc":"2.0","method":"notifications/unheard-of"}"#,
        r#"{"jsonrpc":"2.0","id":"to nothing","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#,
    ] {
        assert_eq!(post(address, &endpoint, text).await, 202, "{text}");
        assert_eq!(soon(server.receive()).await.unwrap(), message(text));
    }
    // An unknown request can't be cancelled, so nothing is forwarded.
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#;
    assert_eq!(post(address, &endpoint, cancel).await, 202);
    assert_eq!(post(address, &endpoint, r#"{"jsonrpc":"2.0","id":1,"method":"unheard-of"}"#).await, 202);
    server.expect("unheard-of").await;
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends_its_body() {
    let config = limited(|limits| limits.message.message_bytes = 1 << 20);
    let (_service, address, mut connections) = scripted(config).await;
    let (_stream, endpoint, _server) = open(address, &mut connections).await;
    let body = "x".repeat(16 << 20);
    for (path, status) in
        [(endpoint.as_str(), 413), ("message?sessionId=1", 404), ("message", 400), ("sse", 405)]
    {
        assert_eq!(ask(address, post_of(path, &body)).await.0.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_to_continue_is_refused_at_once() {
    let (_service, address, _connections) = scripted(Config::default()).await;
    let request =
        post_of("message?sessionId=1", "x").replace("\r\n\r\nx", "\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(ask(address, request).await.0.status(), 404);
}

#[tokio::test]
async fn two_lengths_are_a_bad_request_and_a_length_beside_chunks_is_not_believed() {
    let address = serve(HttpSse::new(echoing(), Config::default())).await;
    let (mut stream, endpoint) = Http::open(address, "/sse").await;
    let head = format!("POST /{endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    let call = ping("1");
    let length = call.len();
    let two = format!("{head}Content-Length: {length}\r\nContent-Length: 1\r\n\r\n{call}");
    assert_eq!(ask(address, two).await.0.status(), 400);
    let both = format!(
        "{head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{call}\r\n0\r\n\r\n"
    );
    assert_eq!(ask(address, both).await.0.status(), 202);
    assert_eq!(stream.message().await, r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
}

#[tokio::test]
async fn a_body_that_is_cut_off_does_no_harm() {
    let (_service, address, mut connections) = scripted(Config::default()).await;
    let (_stream, endpoint, server) = open(address, &mut connections).await;
    let mut http = Http::connect(address).await;
    http.write(post_of(&endpoint, &ping("1")).trim_end_matches('}')).await;
    drop(http);
    assert_eq!(post(address, &endpoint, &ping("2")).await, 202);
    server.expect("ping").await;
}

#[tokio::test]
async fn a_session_takes_messages_from_its_owner_alone() {
    let service = HttpSse::new(echoing(), Config::default());
    let send = |request: http::Request<Full<Bytes>>, owner: Option<&str>| {
        let (mut request, mut service) = (request, service.clone());
        if let Some(owner) = owner {
            request.extensions_mut().insert(SessionOwner::new(owner));
        }
        async move { service.call(request).await.unwrap() }
    };
    let get = http::Request::get("/sse").header("host", "localhost").body(Full::default()).unwrap();
    let mut stream = send(get, Some("a")).await;
    let first = stream.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    let endpoint = first.trim().rsplit(' ').next().unwrap().to_owned();
    for (owner, status) in [(None, 404), (Some("b"), 404), (Some("a"), 202)] {
        let post = http::Request::post(format!("/{endpoint}"))
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::from(ping("1")))
            .unwrap();
        assert_eq!(send(post, owner).await.status(), status, "{owner:?}");
    }
}

#[tokio::test]
async fn an_unknown_ended_missing_or_malformed_session_is_refused() {
    let (service, address, mut connections) = scripted(Config::default()).await;
    let (stream, endpoint, server) = open(address, &mut connections).await;
    for (path, status) in [
        ("message", 400),
        ("message?", 400),
        ("message?session=1", 400),
        ("message?sessionId=", 404),
        ("message?sessionId=1", 404),
        ("message?sessionId=00000000000000000000000000000000", 404),
        ("message?sessionId=%00../../etc", 404),
        (&endpoint.to_uppercase().replace("MESSAGE?SESSIONID", "message?sessionId"), 404),
    ] {
        let (head, body) = ask(address, post_of(path, &ping("1"))).await;
        let is_error = message(body.as_str()).error().is_some();
        // An id of digits alone looks the same in upper case.
        let is_same = path == endpoint;
        assert!(is_same || (head.status() == status && is_error), "{path}: {head:?} {body}");
    }
    drop(stream);
    assert!(soon(server.receive()).await.is_none());
    soon(service.drained()).await;
    assert_eq!(post(address, &endpoint, &ping("1")).await, 404);
}

#[tokio::test]
async fn what_is_no_message_is_refused_with_a_json_rpc_error_and_the_session_goes_on() {
    let address = serve(HttpSse::new(echoing(), Config::default())).await;
    let (mut stream, endpoint) = Http::open(address, "/sse").await;
    let nested = corpus::nested(10_000);
    let more: [(&str, &[u8]); 2] = [("nested deeply", nested.as_bytes()), ("an id of 64 KiB", &[])];
    for (what, text) in corpus::NOT_MESSAGES.iter().chain(&more[..1]) {
        let head = format!(
            "POST /{endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        let (head, body) = ask(address, [head.as_bytes(), text].concat()).await;
        assert_eq!((head.status(), head.header("content-type")), (400, Some("application/json")), "{what}");
        let error = message(body);
        assert!(error.id().is_none(), "{what}");
        let code = String::from_utf8_lossy(error.error().unwrap()).into_owned();
        assert!(code.contains("-32700") || code.contains("-32600"), "{what}: {code}");
    }
    let long_id = format!("\"{}\"", "x".repeat(64 * 1024));
    assert_eq!(post(address, &endpoint, &ping(&long_id)).await, 400);

    assert_eq!(post(address, &endpoint, &ping("9223372036854775808")).await, 202);
    assert_eq!(stream.message().await, r#"{"jsonrpc":"2.0","id":9223372036854775808,"result":null}"#);
}

#[tokio::test]
async fn batches_are_refused() {
    let address = serve(HttpSse::new(echoing(), Config::default())).await;
    let (_stream, endpoint) = Http::open(address, "/sse").await;
    for batch in ["[]", &format!(" [{}]", ping("1")), &format!("[{},{}]", ping("1"), ping("2"))] {
        let (head, body) = ask(address, post_of(&endpoint, batch)).await;
        assert_eq!(head.status(), 400);
        assert!(body.contains("-32600") && body.contains("no batches"), "{body}");
    }
}

#[tokio::test]
async fn wrong_content_types_and_accepts_are_refused() {
    let (_service, address, mut connections) = scripted(Config::default()).await;
    let (_stream, endpoint, _server) = open(address, &mut connections).await;
    for content_type in
        ["", "Content-Type: text/plain\r\n", "Content-Type: application/json; charset=utf-16\r\n"]
    {
        let request = format!(
            "POST /{endpoint} HTTP/1.1\r\nHost: localhost\r\n{content_type}Content-Length: 2\r\n\r\n{{}}"
        );
        assert_eq!(ask(address, request).await.0.status(), 415, "{content_type}");
    }
    let get = |accept: &str| format!("GET /sse HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n");
    for accept in ["Accept: application/json\r\n", "Accept: text/event-stream;q=0\r\n"] {
        assert_eq!(ask(address, get(accept)).await.0.status(), 406, "{accept}");
    }
    for accept in ["", "Accept: */*\r\n", "Accept: application/json, text/event-stream\r\n"] {
        let mut http = Http::connect(address).await;
        http.write(get(accept)).await;
        assert_eq!(http.head().await.unwrap().status(), 200, "{accept}");
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_unless_they_are_allowed() {
    let (_service, address, _connections) = scripted(Config::default()).await;
    let get = |headers: &str| format!("GET /sse HTTP/1.1\r\n{headers}\r\n\r\n");
    for (headers, status) in [
        ("Host: evil.example", 403),
        ("Host: localhost.evil.example", 403),
        ("Host: localhost\r\nHost: localhost", 400),
        ("X: no host at all", 400),
        ("Host: localhost\r\nOrigin: https://evil.example", 403),
        ("Host: localhost\r\nOrigin: null", 403),
    ] {
        let (head, body) = ask(address, get(headers)).await;
        assert_eq!(head.status(), status, "{headers}");
        assert!(body.is_empty() || message(body).error().is_some());
    }
    let (head, _) =
        ask(address, "POST /message HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(head.status(), 403);

    let config = Config::new()
        .hosts(AllowedHosts::none().and("mcp.example").unwrap())
        .origins(AllowedOrigins::none().and("https://app.example").unwrap());
    let (_service, address, _connections) = scripted(config).await;
    let mut http = Http::connect(address).await;
    http.write(get("Host: mcp.example\r\nOrigin: https://app.example")).await;
    assert_eq!(http.head().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_allowed_page_may_ask_and_read_and_a_foreign_one_neither() {
    let config = Config::new().origins(AllowedOrigins::none().and("https://app.example").unwrap());
    let (_service, address, _connections) = scripted(config).await;
    const ASKED: &str = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type";
    let request = |start: &str, origin: &str, more: &str| {
        format!("{start} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n{more}\r\n\r\n")
    };
    for path in ["/sse", "/message?sessionId=1"] {
        let start = format!("OPTIONS {path}");
        let (told, body) = ask(address, request(&start, "https://app.example", ASKED)).await;
        assert_eq!((told.status(), body.as_str()), (204, ""));
        assert_eq!(told.header("access-control-allow-origin"), Some("https://app.example"));
        assert_eq!(told.header("access-control-allow-methods"), Some("GET, POST"));
        assert_eq!(told.header("access-control-allow-headers"), Some("content-type"));
        let (told, _) = ask(address, request(&start, "https://evil.example", ASKED)).await;
        assert_eq!((told.status(), told.header("access-control-allow-origin")), (403, None));
    }
    for (start, status) in [("POST /message?sessionId=1", 404), ("POST /message", 400), ("GET /", 404)] {
        let (head, _) = ask(address, request(start, "https://app.example", "Content-Length: 0")).await;
        assert_eq!(head.status(), status, "{start}");
        assert_eq!(head.header("access-control-allow-origin"), Some("https://app.example"), "{start}");
    }
    let mut http = Http::connect(address).await;
    http.write(request("GET /sse", "https://app.example", "Accept: text/event-stream")).await;
    let head = http.head().await.unwrap();
    assert_eq!((head.status(), head.header("vary")), (200, Some("Origin")));
    assert_eq!(head.header("access-control-allow-origin"), Some("https://app.example"));
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let (_service, address, _connections) = scripted(Config::default()).await;
    let request = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    };
    for (method, path, status, allow) in [
        ("POST", "/sse", 405, Some("GET")),
        ("DELETE", "/sse", 405, Some("GET")),
        ("PUT", "/message", 405, Some("POST")),
        ("GET", "/message?sessionId=1", 405, Some("POST")),
        ("GET", "/", 404, None),
        ("POST", "/mcp", 404, None),
    ] {
        let (head, _) = ask(address, request(method, path)).await;
        assert_eq!((head.status(), head.header("allow")), (status, allow), "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_also_when_it_does_not_say_so() {
    let config = limited(|limits| limits.message.message_bytes = 1000);
    let (_service, address, mut connections) = scripted(config).await;
    let (_stream, endpoint, server) = open(address, &mut connections).await;
    let long = corpus::call_with_text(1, 1000);
    let (head, body) = ask(address, post_of(&endpoint, &long)).await;
    assert_eq!(head.status(), 413);
    assert!(message(body).error().is_some());
    let head = format!("POST /{endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    for length in ["1000000000000000", "1001"] {
        let (head, _) =
            ask(address, format!("{head}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n")).await;
        assert_eq!(head.status(), 413);
    }
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    assert_eq!(ask(address, chunked).await.0.status(), 413);

    assert_eq!(post(address, &endpoint, &ping("1")).await, 202);
    server.expect("ping").await;
}

#[tokio::test]
async fn a_body_that_comes_in_pieces_is_read_whole() {
    let address = serve(HttpSse::new(echoing(), Config::default())).await;
    let (mut stream, endpoint) = Http::open(address, "/sse").await;
    let mut http = Http::connect(address).await;
    http.write(format!("POST /{endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"))
        .await;
    http.write("Transfer-Encoding: chunked\r\n\r\n").await;
    for byte in ping("1").bytes() {
        http.write(format!("1\r\n{}\r\n", char::from(byte))).await;
    }
    http.write("0\r\n\r\n").await;
    assert_eq!(http.whole().await.unwrap().0.status(), 202);
    assert_eq!(stream.message().await, r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
}

#[tokio::test]
async fn a_body_that_does_not_come_or_trickles_is_given_up() {
    for (body_stall, body) in [
        (Duration::from_millis(50), ServerLimits::BODY),
        (ServerLimits::BODY_STALL, Duration::from_millis(50)),
    ] {
        let config = limited(|limits| (limits.body_stall, limits.body) = (body_stall, body));
        let (_service, address, mut connections) = scripted(config).await;
        let (_stream, endpoint, _server) = open(address, &mut connections).await;
        let mut http = Http::connect(address).await;
        http.write(post_of(&endpoint, &ping("1")).trim_end_matches('}')).await;
        let (head, body) = http.whole().await.unwrap();
        assert_eq!((head.status(), head.header("connection")), (408, Some("close")));
        assert!(message(body).error().is_some());
        assert!(http.is_closed().await);
        assert_eq!(post(address, &endpoint, &ping("1")).await, 202);
    }
}

#[tokio::test]
async fn a_request_too_many_is_answered_on_the_stream_and_a_stream_too_many_is_refused() {
    let service = HttpSse::new(echoing(), Config::default());
    let left = std::sync::atomic::AtomicUsize::new(2);
    let bound = RequestLimiter::new(move || {
        use std::sync::atomic::Ordering::Relaxed;
        let error = CallError::not_sent(Reason::OverLimit("too many requests".into()));
        let taken = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        taken.map(drop).map_err(|_| error.with_retry_after(Duration::from_secs(7)))
    });
    let send = |method: &str, path: &str, body: String| {
        let request = http::Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json").extension(bound.clone());
        let (request, mut service) = (request.body(Full::<Bytes>::from(body)).unwrap(), service.clone());
        async move { service.call(request).await.unwrap() }
    };
    let mut stream = send("GET", "/sse", String::new()).await;
    let mut event = async || {
        let piece = soon(stream.body_mut().frame()).await.unwrap().unwrap().into_data().unwrap();
        String::from_utf8(piece.to_vec()).unwrap()
    };
    let endpoint = format!("/{}", event().await.trim().rsplit(' ').next().unwrap());
    for id in ["1", "2"] {
        assert_eq!(send("POST", &endpoint, ping(id)).await.status(), 202);
    }
    let mut told = String::new();
    while !(told.contains(r#""id":1,"result""#) && told.contains(r#""id":2,"error":{"code":-31003"#)) {
        told.push_str(&event().await);
    }
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(send("POST", &endpoint, cancelled.to_owned()).await.status(), 202);
    let refused = send("GET", "/sse", String::new()).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    // Unread answers are bounded.
    let statuses: Vec<u16> = {
        let mut statuses = Vec::new();
        for id in 0..=Limits::URGENT_MESSAGES {
            statuses.push(send("POST", &endpoint, ping(&id.to_string())).await.status().as_u16());
        }
        statuses
    };
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 1, "{statuses:?}");
}

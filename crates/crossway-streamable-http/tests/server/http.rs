//! The endpoint on connections of all kinds, and its end.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use crossway_streamable_http::server::http::{HttpLimits, serve, serve_connection};
use crossway_streamable_http::server::{Config, StreamableHttp};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::{ACCEPT, Client, Raw, Served, call, echo, initialize, scripted};

fn request(session: Option<&http::HeaderValue>, body: String) -> Request<Full<Bytes>> {
    let mut request = Request::post("http://localhost/mcp").body(Full::from(body)).unwrap();
    let headers = request.headers_mut();
    headers.insert("accept", "application/json, text/event-stream".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    if let Some(session) = session {
        headers.insert("mcp-session-id", session.clone());
    }
    request
}

#[tokio::test]
async fn http2_is_spoken_too() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let io = TokioIo::new(served.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let opened = client.send_request(request(None, initialize("2025-11-25"))).await.unwrap();
    assert_eq!(opened.status(), StatusCode::OK);
    let session = opened.headers()["mcp-session-id"].clone();
    let (one, two) = (request(Some(&session), call("1")), request(Some(&session), call("2")));
    let (one, two) = tokio::join!(client.clone().send_request(one), client.send_request(two));
    for (answer, id) in [(one.unwrap(), 1), (two.unwrap(), 2)] {
        let length = answer.headers()["content-length"].to_str().unwrap().parse::<usize>().unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), length);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["id"], id);
    }
}

#[tokio::test]
async fn a_connection_is_used_for_one_request_after_the_other() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let io = TokioIo::new(served.connect().await);
    let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let opened = client.send_request(request(None, initialize("2025-11-25"))).await.unwrap();
    let session = opened.headers()["mcp-session-id"].clone();
    opened.into_body().collect().await.unwrap();
    for id in ["1", "2", "3"] {
        let answer = client.send_request(request(Some(&session), call(id))).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["id"].to_string(), id);
    }
}

#[tokio::test]
async fn it_nests_in_axum_as_it_is() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let app: axum::Router = axum::Router::new()
        .route_service("/mcp", service.clone())
        .nest_service("/deep", axum::Router::new().route_service("/mcp", service));
    for path in ["/mcp", "/deep/mcp"] {
        let mut request = request(None, initialize("2025-11-25")).map(axum::body::Body::new);
        *request.uri_mut() = path.parse().unwrap();
        request.headers_mut().insert("host", "localhost".parse().unwrap());
        let response: Result<_, Infallible> = tower_service::Service::call(&mut app.clone(), request).await;
        let Ok(response) = response;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers().contains_key("mcp-session-id"));
    }
}

#[tokio::test]
async fn a_pipe_inside_the_process_is_a_connection_as_well() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let (ours, theirs) = tokio::io::duplex(4096);
    let limits = HttpLimits::default();
    tokio::spawn(async move { serve_connection(theirs, service, &limits, std::future::pending()).await });
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    let mut request = request(None, initialize("2025-11-25"));
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    assert_eq!(client.send_request(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn shutting_down_answers_what_is_in_flight_and_closes_the_rest() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let session = client.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let mut served = Served::new(service, HttpLimits::default()).await;
    let headers =
        format!("host: localhost\r\ncontent-type: application/json\r\n{ACCEPT}mcp-session-id: {session}\r\n");

    let idle = served.connect().await;
    let mut standing = served.connect().await;
    standing
        .write_all(format!("GET /mcp HTTP/1.1\r\nconnection: close\r\n{headers}\r\n").as_bytes())
        .await
        .unwrap();
    let mut calling = served.connect().await;
    let body = call("1");
    let request = format!("POST /mcp HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
    calling.write_all(request.as_bytes()).await.unwrap();
    let id = server.expect("tools/call").await;

    served.service.drain();
    served.shut_down();
    let standing = Raw::read(standing).await;
    assert_eq!((standing.status, standing.header("content-type")), (200, Some("text/event-stream")));
    // The call may ask its client something, which answers in another request, here on a new connection and on one that is open.
    let answered = r#"{"jsonrpc":"2.0","id":"q","result":{}}"#;
    let more = format!("{ACCEPT}content-type: application/json\r\nmcp-session-id: {session}\r\n");
    assert_eq!(served.request("POST", &more, answered.as_bytes()).await.status, 202);
    let mut idle = idle;
    let last = format!("POST /mcp HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n{answered}", answered.len());
    idle.write_all(last.as_bytes()).await.unwrap();
    let mut taken = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut idle, &mut taken).await.unwrap();
    assert_eq!(&taken, b"HTTP/1.1 202");

    server.answer(&id, "{}");
    let answer = Raw::read(calling).await;
    assert_eq!((answer.status, answer.json()["id"].as_u64()), (200, Some(1)));
    tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut Vec::new()).await.unwrap();
    served.task.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "no more connections");
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_its_call_running() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let session = client.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let served = Served::new(service, HttpLimits::default()).await;
    let mut calling = served.connect().await;
    let body = call("1");
    let headers =
        format!("host: localhost\r\ncontent-type: application/json\r\n{ACCEPT}mcp-session-id: {session}\r\n");
    let request = format!("POST /mcp HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
    calling.write_all(request.as_bytes()).await.unwrap();
    server.expect("tools/call").await;
    drop(calling);
    // What comes next is no cancellation.
    let next = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    assert_eq!(client.post(next).await.status, StatusCode::ACCEPTED);
    assert!(server.receive().await.unwrap().is_method("notifications/x"));
}

#[tokio::test]
async fn a_connection_that_panics_is_logged_also_at_the_end() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
        async move || -> StatusCode {
            arrived.notify_one();
            release.notified().await;
            panic!("as the test wants it")
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let shutdown = {
        let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
        async move {
            arrived.notified().await;
            // It runs when the server waits for its connections to end.
            tokio::spawn(async move { release.notify_one() });
        }
    };
    let limits = HttpLimits::default().with(|limits| limits.accepts_in_drain = false);
    serve(listener, axum::Router::new().fallback(handler), limits, shutdown).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("a connection's task has panicked").count(), 1, "{log}");
}

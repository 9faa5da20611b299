//! Clients of an endpoint, with and without sockets.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use crossway_proto::Message;
use crossway_proto::sse::{SseDecoder, SseEvent};
use crossway_streamable_http::server::http::{HttpLimits, serve};
use crossway_streamable_http::server::{Body, Config, StreamableHttp};
pub(crate) use crossway_testkit::settle;
use crossway_testkit::{Scripted, Server};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tower_service::Service;

pub(crate) type Connections = mpsc::Receiver<(crossway_service::Scope, Server)>;

/// An endpoint whose upstream a test plays.
pub(crate) fn scripted(config: Config) -> (StreamableHttp, Connections) {
    let (upstream, connections) = Scripted::new();
    (StreamableHttp::new(upstream, config), connections)
}

/// An upstream that agrees to `version` and answers everything else with the method's name.
pub(crate) fn echo(version: &'static str) -> Scripted {
    Scripted::answering(move |message: &Message| {
        let Some(id) = message.request_id() else { return Vec::new() };
        if message.is_method("initialize") {
            return vec![initialize_result(&id.to_string(), version)];
        }
        if message.is_method("unknown/method") {
            let error = r#"{"code":-32601,"message":"no such method"}"#;
            return vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)];
        }
        let method = message.method().unwrap_or_default();
        vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"method":"{method}"}}}}"#)]
    })
}

pub(crate) fn initialize_result(id: &str, version: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"protocolVersion":"{version}","capabilities":{{}},"serverInfo":{{"name":"s","version":"1"}}}}}}"#
    )
}

pub(crate) fn initialize(version: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"init","method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
    )
}

pub(crate) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// A call of the tool `t`.
pub(crate) fn call(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t"}}}}"#)
}

pub(crate) fn progress(step: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":{step}}}}}"#
    )
}

/// A client of a service, with or without a session.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) service: StreamableHttp,
    pub(crate) headers: HeaderMap,
}

/// A response, its body still to be read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl Client {
    /// A client that sends what each client has to.
    pub(crate) fn new(service: &StreamableHttp) -> Self {
        let mut client = Self { service: service.clone(), headers: HeaderMap::new() };
        client.set("host", "localhost:8808");
        client.set("accept", "application/json, text/event-stream");
        client.set("content-type", "application/json");
        client
    }

    /// A client in a session of `version`, and the server that plays its upstream.
    pub(crate) async fn open(
        service: &StreamableHttp,
        connections: &mut Connections,
        version: &str,
    ) -> (Self, Server) {
        let mut client = Self::new(service);
        let play = async {
            let (_, server) = connections.recv().await.expect("a connection");
            let id = server.expect("initialize").await;
            server.send(&initialize_result(&id.to_string(), version));
            server
        };
        let request = initialize(version);
        let (answer, server) = tokio::join!(client.post(&request), play);
        assert_eq!(answer.status, StatusCode::OK);
        let id = answer.header("mcp-session-id");
        client.set("mcp-session-id", &id);
        client.set("mcp-protocol-version", version);
        let (answer, message) = tokio::join!(client.post(INITIALIZED), server.receive());
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert!(message.expect("initialized").is_method("notifications/initialized"));
        (client, server)
    }

    /// A client of 2026-07-28 that calls `method`.
    pub(crate) fn modern(service: &StreamableHttp, method: &str) -> Self {
        let mut client = Self::new(service);
        client.set("mcp-protocol-version", "2026-07-28");
        client.set("mcp-method", method);
        client
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, value.parse().expect("a header value"));
    }

    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client.set(name, value);
        client
    }

    pub(crate) fn without(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.remove(name);
        client
    }

    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.send(Method::POST, body).await
    }

    pub(crate) async fn get(&self) -> Answer {
        self.send(Method::GET, "").await
    }

    pub(crate) async fn delete(&self) -> Answer {
        self.send(Method::DELETE, "").await
    }

    pub(crate) async fn send(&self, method: Method, body: &str) -> Answer {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = method;
        *request.headers_mut() = self.headers.clone();
        self.send_request(request).await
    }

    pub(crate) async fn send_request(&self, request: Request<Full<Bytes>>) -> Answer {
        let response: Result<_, Infallible> = self.service.clone().call(request).await;
        let Ok(response) = response;
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}"));
        value.to_str().expect("text").to_owned()
    }

    /// The whole body.
    pub(crate) async fn text(self) -> String {
        let body = self.body.collect().await.expect("never fails").to_bytes();
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }

    /// The body, which has to be JSON.
    pub(crate) async fn json(self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// The body, which has to be a stream of events.
    pub(crate) fn events(self) -> Events {
        assert_eq!(self.header("content-type"), "text/event-stream");
        Events { body: self.body, decoder: SseDecoder::new(1 << 20) }
    }
}

/// A stream of events.
pub(crate) struct Events {
    body: Body,
    decoder: SseDecoder,
}

impl Events {
    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.decoder.next_event().expect("small events") {
                return Some(event);
            }
            let bytes = self.bytes().await?;
            self.decoder.feed(bytes);
        }
    }

    /// The next event's data; a panic at the end.
    pub(crate) async fn data(&mut self) -> String {
        let event = self.next().await.expect("an event");
        String::from_utf8(event.data.to_vec()).expect("UTF-8")
    }

    /// The next bytes as they are sent; `None` at the end.
    pub(crate) async fn bytes(&mut self) -> Option<Bytes> {
        let frame = self.body.frame().await?.expect("never fails");
        Some(frame.into_data().expect("data"))
    }

    /// Whether there is nothing to read now.
    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::select! {
            biased;
            frame = self.body.frame() => panic!("not silent: {frame:?}"),
            () = settle() => !self.body.is_end_stream(),
        }
    }
}

/// An endpoint on a socket.
pub(crate) struct Served {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) service: StreamableHttp,
    shutdown: Option<oneshot::Sender<()>>,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Serves an upstream that agrees to `version`.
    pub(crate) async fn echo(version: &'static str, config: Config) -> Self {
        Self::new(StreamableHttp::new(echo(version), config), HttpLimits::default()).await
    }

    pub(crate) async fn new(service: StreamableHttp, limits: HttpLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (shutdown, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let task = tokio::spawn(serve(listener, service.clone(), limits, stopped));
        Self { address, service, shutdown: Some(shutdown), task }
    }

    pub(crate) fn shut_down(&mut self) {
        drop(self.shutdown.take());
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends bytes as they are on a connection of its own, and reads until the server closes it.
    pub(crate) async fn raw(&self, request: &[u8]) -> Raw {
        let mut stream = self.connect().await;
        // The server may refuse before all is sent.
        let _ = stream.write_all(request).await;
        Raw::read(stream).await
    }

    /// A POST of a body with the usual headers and `more`.
    pub(crate) async fn post(&self, more: &str, body: &[u8]) -> Raw {
        let more = format!("{more}content-type: application/json\r\n");
        self.request("POST", &format!("{more}{ACCEPT}"), body).await
    }

    /// A request with `headers` and those that HTTP needs.
    pub(crate) async fn request(&self, method: &str, headers: &str, body: &[u8]) -> Raw {
        let head = format!(
            "{method} /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat()).await
    }

    /// Opens a session. Gives its header.
    pub(crate) async fn session(&self) -> String {
        let answer = self.post("", initialize("2025-11-25").as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        format!("mcp-session-id: {}\r\n", answer.header("mcp-session-id").expect("a session"))
    }

    /// Checks that the next client is served as if nothing had been.
    pub(crate) async fn assert_serves(&self) {
        let session = self.session().await;
        let answer = self.post(&session, call("1").as_bytes()).await;
        assert_eq!((answer.status, answer.json()["id"].as_u64()), (200, Some(1)));
        let ended = self.request("DELETE", &session, b"").await;
        assert_eq!(ended.status, 204);
    }
}

pub(crate) const ACCEPT: &str = "accept: application/json, text/event-stream\r\n";

/// A response as it was read from a socket.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Raw {
    pub(crate) async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
        read.expect("the server hangs").expect("the response arrives whole");
        Self::parse(&String::from_utf8(bytes).expect("UTF-8"))
    }

    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks that it is a refusal: status, JSON-RPC code, and a sentence.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, code: i64) {
        assert_eq!(self.status, status, "{self:?}");
        let error = self.json();
        assert_eq!(error["jsonrpc"], "2.0");
        assert_eq!(error["error"]["code"], code, "{self:?}");
        assert!(error["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{self:?}");
    }
}

//! HTTP by hand, so that tests read like the bytes on the wire.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossway_http_sse::{HttpSse, HttpSseUpstream, Options};
use crossway_proto::sse::{SseDecoder, SseEvent};
use crossway_service::{Call, Context, Link, Reply, Scope, Upstream};
pub use crossway_testkit::message;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// The longest time that a test waits for something expected.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits with a time limit.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("what the test waits for has not happened")
}

/// Serves on a port of this machine.
pub async fn serve(service: HttpSse) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            connection.set_nodelay(true).unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                // Clients that hang up are part of many tests.
                let _ = builder.serve_connection(TokioIo::new(connection), service).await;
            });
        }
    });
    address
}

/// Sends a message on a link.
pub fn call(link: &Link, text: impl AsRef<[u8]>) -> Reply {
    link.call(Call::message(message(text), Context::default()))
}

/// All items of a reply: messages as text, errors by outcome and text.
pub async fn all(mut reply: Reply) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(item) = soon(reply.next()).await {
        texts.push(match item {
            Ok(message) => String::from_utf8(message.to_bytes().to_vec()).unwrap(),
            Err(error) => format!("{:?}: {error}", error.outcome()),
        });
    }
    texts
}

/// The only item of a reply.
pub async fn only(reply: Reply) -> String {
    let mut texts = all(reply).await;
    assert_eq!(texts.len(), 1, "{texts:?}");
    texts.remove(0)
}

/// A start line and headers.
#[derive(Debug, Clone)]
pub struct Head {
    pub start: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(named, _)| named == name).map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The path of a request, with its query.
    pub fn path(&self) -> &str {
        self.start.split(' ').nth(1).unwrap()
    }
}

/// One end of an HTTP/1.1 connection.
pub struct Http {
    pub tcp: TcpStream,
    read: Vec<u8>,
    decoder: SseDecoder,
}

impl Http {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    pub fn new(tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).unwrap();
        Self { tcp, read: Vec::new(), decoder: SseDecoder::new(usize::MAX) }
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.tcp.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Reads more bytes. Returns whether there were any.
    async fn fill(&mut self) -> bool {
        let mut piece = vec![0; 64 * 1024];
        // A reset connection counts as ended.
        let count = soon(self.tcp.read(&mut piece)).await.unwrap_or(0);
        self.read.extend_from_slice(&piece[..count]);
        count > 0
    }

    async fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        let mut from = 0;
        loop {
            if let Some(at) = self.read[from..].windows(mark.len()).position(|window| window == mark) {
                let rest = self.read.split_off(from + at + mark.len());
                let mut taken = std::mem::replace(&mut self.read, rest);
                taken.truncate(from + at);
                return Some(taken);
            }
            from = self.read.len().saturating_sub(mark.len());
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        let rest = self.read.split_off(count);
        Some(std::mem::replace(&mut self.read, rest))
    }

    /// Reads the head of the next request or response; `None` when the connection has ended.
    pub async fn head(&mut self) -> Option<Head> {
        let text = String::from_utf8(self.until(b"\r\n\r\n").await?).unwrap();
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap().to_owned();
        let headers = lines.map(|line| line.split_once(':').unwrap());
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Some(Head { start, headers })
    }

    /// Reads the next request or response with a `Content-Length`.
    pub async fn whole(&mut self) -> Option<(Head, String)> {
        let head = self.head().await?;
        let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        let body = self.exactly(length).await?;
        Some((head, String::from_utf8(body).unwrap()))
    }

    /// Reads the next event of a chunked stream; `None` when it has ended.
    pub async fn event(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.decoder.next_event().unwrap() {
                return Some(event);
            }
            let chunk = self.chunk().await?;
            self.decoder.feed(chunk);
        }
    }

    /// Reads the next event, which must be a message, and returns its data.
    pub async fn message(&mut self) -> String {
        let event = self.event().await.expect("the stream has ended");
        assert_eq!(event.event, "message");
        String::from_utf8(event.data.to_vec()).unwrap()
    }

    /// Reads the next chunk; `None` for the last one.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        let size = String::from_utf8(self.until(b"\r\n").await?).unwrap();
        let size = usize::from_str_radix(&size, 16).unwrap();
        let chunk = self.exactly(size).await?;
        assert_eq!(self.exactly(2).await?, b"\r\n");
        (size > 0).then(|| chunk.into())
    }

    /// Waits until the other side closes the connection. `false` if more data arrives instead.
    pub async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    /// Opens a stream at `path`, and returns it with the endpoint that it gives.
    pub async fn open(address: SocketAddr, path: &str) -> (Self, String) {
        let mut stream = Self::connect(address).await;
        stream
            .write(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n"))
            .await;
        let head = stream.head().await.unwrap();
        assert_eq!(head.status(), 200, "{head:?}");
        let event = stream.event().await.unwrap();
        assert_eq!(event.event, "endpoint");
        (stream, String::from_utf8(event.data.to_vec()).unwrap())
    }
}

/// Sends one request and reads its response.
pub async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> (Head, String) {
    let mut http = Http::connect(address).await;
    http.write(request).await;
    http.whole().await.expect("no response")
}

/// The request that POSTs a message.
pub fn post_of(path: &str, body: &str) -> String {
    let path = path.trim_start_matches('/');
    format!(
        "POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// POSTs a message, and returns the status.
pub async fn post(address: SocketAddr, path: &str, body: &str) -> u16 {
    ask(address, post_of(path, body)).await.0.status()
}

/// A server whose responses a test writes.
pub struct Fake {
    listener: Arc<TcpListener>,
}

impl Fake {
    pub async fn start() -> Self {
        Self { listener: Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap()) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener.local_addr().unwrap())
    }

    /// The next connection.
    pub async fn accept(&self) -> Http {
        Http::new(soon(self.listener.accept()).await.unwrap().0)
    }

    /// Answers the GET of a stream with these events, and keeps the stream open.
    pub async fn stream(&self, events: &str) -> FakeStream {
        let mut http = self.accept().await;
        let head = http.head().await.unwrap();
        assert!(head.start.starts_with("GET "), "{head:?}");
        http.write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        let mut stream = FakeStream { http, head };
        stream.send(events).await;
        stream
    }

    /// Accepts the requests of all connections from now on.
    pub fn posts(&self) -> Posts {
        let (sender, posts) = mpsc::channel(1000);
        let listener = Arc::clone(&self.listener);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(take_posts(Http::new(tcp), sender.clone()));
            }
        });
        Posts(posts)
    }
}

async fn take_posts(mut http: Http, sender: mpsc::Sender<Post>) {
    while let Some((head, body)) = http.whole().await {
        let (respond, response) = oneshot::channel();
        if sender.send(Post { head, body, respond }).await.is_err() {
            return;
        }
        // A post that the test drops gets no response.
        let Ok(response) = response.await else { return };
        http.write(response).await;
    }
}

/// The requests that a [`Fake`] gets, on any connection.
pub struct Posts(mpsc::Receiver<Post>);

impl Posts {
    pub async fn next(&mut self) -> Post {
        soon(self.0.recv()).await.unwrap()
    }

    /// Whether no request has come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A request that needs a response. Dropped without one, its connection closes.
pub struct Post {
    pub head: Head,
    pub body: String,
    respond: oneshot::Sender<String>,
}

impl Post {
    /// Responds with these bytes.
    pub fn respond(self, response: impl Into<String>) {
        self.respond.send(response.into()).unwrap();
    }

    /// The id of the message, as JSON text; empty if it has none.
    pub fn id(&self) -> String {
        message(self.body.as_str()).id().map(|id| id.to_string()).unwrap_or_default()
    }

    /// Responds as common servers do, and returns the message's id.
    pub fn accept(self) -> String {
        let id = self.id();
        self.respond(ACCEPTED);
        id
    }

    /// Responds with a status, headers and a body.
    pub fn refuse(self, head: &str, body: &str) {
        self.respond(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }
}

/// A stream of a [`Fake`].
pub struct FakeStream {
    pub http: Http,
    pub head: Head,
}

impl FakeStream {
    /// Sends a piece of the stream as it is.
    pub async fn send(&mut self, piece: &str) {
        if !piece.is_empty() {
            self.http.write(format!("{:x}\r\n{piece}\r\n", piece.len())).await;
        }
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &str) {
        self.send(&format!("event: message\ndata: {message}\n\n")).await;
    }

    /// Ends the stream.
    pub async fn end(mut self) {
        self.http.write("0\r\n\r\n").await;
    }
}

/// The response of common servers to a POST.
pub const ACCEPTED: &str =
    "HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nAccepted";

/// The first event of common servers.
pub const ENDPOINT: &str = "event: endpoint\ndata: /message?sessionId=1\n\n";

pub const PING: &str = r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#;
pub const PONG: &str = r#"{"jsonrpc":"2.0","id":"a","result":{}}"#;

/// A client's session with a [`Fake`] server.
pub struct Session {
    pub link: Link,
    pub stream: FakeStream,
    pub posts: Posts,
}

impl Session {
    /// Opens a session's stream, and makes one call.
    pub async fn start(options: Options) -> Self {
        let fake = Fake::start().await;
        let link = HttpSseUpstream::new(&fake.url("/sse"), options).unwrap().connect(Scope::Session);
        let reply = call(&link, PING);
        let stream = fake.stream(ENDPOINT).await;
        let mut session = Self { link, stream, posts: fake.posts() };
        session.answer("{}").await;
        assert_eq!(only(reply).await, PONG);
        session
    }

    /// Accepts a POST, and answers it on the stream.
    pub async fn answer(&mut self, result: &str) {
        let post = self.posts.next().await;
        assert_eq!(post.head.start, "POST /message?sessionId=1 HTTP/1.1");
        let id = post.accept();
        self.result(&id, result).await;
    }

    /// Sends the result of the call with this id.
    pub async fn result(&mut self, id: &str, result: &str) {
        self.stream.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)).await;
    }

    /// Checks that the session still works.
    pub async fn serves_on(&mut self) {
        let reply = call(&self.link, PING);
        self.answer("{}").await;
        assert_eq!(only(reply).await, PONG);
    }
}

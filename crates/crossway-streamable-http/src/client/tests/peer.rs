//! A scripted HTTP server: each request is handed to the test, which plays the answer byte by byte.

use std::fmt::Write as _;

use crossway_proto::{RequestId, Revision};
use crossway_service::{Call, CallError, Context, Link, Origin, Reply, Scope, Upstream};
pub(super) use crossway_testkit::message;
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::client::endpoint::Endpoint;
use crate::client::http::HttpClient;
use crate::client::{Options, StreamableHttpUpstream};

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A server whose requests arrive at the test.
pub(super) struct Peer {
    pub(super) url: String,
    pub(super) upstream: StreamableHttpUpstream,
    requests: mpsc::Receiver<Exchange>,
    pub(super) hub: mpsc::Sender<Exchange>,
}

/// A request, and the connection to answer it on.
pub(super) struct Exchange {
    pub(super) verb: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Counts the requests of this connection from 1.
    pub(super) nth: usize,
    pub(super) stream: Box<dyn Stream>,
    hub: mpsc::Sender<Exchange>,
}

impl Peer {
    pub(super) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// Over a real socket.
    pub(super) async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let (hub, requests) = mpsc::channel(1024);
        let acceptor = hub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(read(Box::new(stream), 1, acceptor.clone()));
            }
        });
        let upstream = StreamableHttpUpstream::new(&url, options).unwrap();
        Self { url, upstream, requests, hub }
    }

    /// Over memory, for tests in which time is paused.
    pub(super) fn in_memory(options: Options) -> Self {
        let url = "http://mcp.example/mcp".to_owned();
        let http = HttpClient::new(Endpoint::parse(&url).unwrap(), &options);
        let (http, mut connections) = http.in_memory();
        let upstream = StreamableHttpUpstream::over(http, &options);
        let (hub, requests) = mpsc::channel(1024);
        let acceptor = hub.clone();
        tokio::spawn(async move {
            while let Some(stream) = connections.recv().await {
                tokio::spawn(read(Box::new(stream), 1, acceptor.clone()));
            }
        });
        Self { url, upstream, requests, hub }
    }

    /// The next request, on whichever connection it comes.
    pub(super) async fn next(&mut self) -> Exchange {
        self.requests.recv().await.unwrap()
    }

    /// The next request, which has to be this one.
    pub(super) async fn expect(&mut self, verb: &str, method: &str) -> Exchange {
        let exchange = self.next().await;
        assert_eq!((exchange.verb.as_str(), exchange.method().as_str()), (verb, method));
        exchange
    }

    /// Whether no request has come.
    pub(super) fn is_silent(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    pub(super) fn link(&self) -> Link {
        self.upstream.connect(Scope::Session)
    }

    /// A link whose session is open, as `s1`, in this revision.
    pub(super) async fn session(&mut self, revision: Revision) -> Link {
        self.session_with(revision, "{}").await
    }

    /// Like [`session`](Self::session), for a client with these capabilities.
    pub(super) async fn session_with(&mut self, revision: Revision, capabilities: &str) -> Link {
        let link = self.link();
        let request = initialize(revision).replace("{}", capabilities);
        let (answer, ()) = tokio::join!(ask(&link, request), async {
            let exchange = self.expect("POST", "initialize").await;
            exchange.answer_with("Mcp-Session-Id: s1\r\n", &initialized(revision)).await;
        });
        answer.unwrap();
        let mut accepted = call(&link, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        let (accepted, ()) = tokio::join!(accepted.next(), async {
            self.expect("POST", "notifications/initialized").await.accept().await;
        });
        assert_eq!(accepted, None);
        link
    }
}

/// Reads one request of a connection.
pub(super) async fn read(mut stream: Box<dyn Stream>, nth: usize, hub: mpsc::Sender<Exchange>) {
    let mut text = Vec::new();
    let head = loop {
        if let Some(end) = memchr::memmem::find(&text, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut text).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let mut lines = std::str::from_utf8(&text[..head]).unwrap().lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let (verb, path) = (first.next().unwrap(), first.next().unwrap());
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let length = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    while text.len() < head + length {
        if stream.read_buf(&mut text).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let body = String::from_utf8(text.split_off(head)).unwrap();
    let exchange = Exchange { verb, path, headers, body, nth, stream, hub: hub.clone() };
    let _ = hub.send(exchange).await;
}

impl Exchange {
    /// The message's method; empty if there is none.
    pub(super) fn method(&self) -> String {
        if self.body.is_empty() {
            return String::new();
        }
        message(&self.body).method().map(|method| method.into_owned()).unwrap_or_default()
    }

    /// The id of the request.
    pub(super) fn id(&self) -> RequestId {
        message(&self.body).id().unwrap()
    }

    /// A response under the id of the request, as a server writes it.
    pub(super) fn under_its_id(&self, response: &str) -> String {
        let mut response = message(response);
        response.set_id(&self.id());
        String::from_utf8(response.to_bytes().to_vec()).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Writes bytes as they are.
    pub(super) async fn send(&mut self, raw: impl AsRef<[u8]>) {
        // That the client has gone away is part of some scripts.
        let _ = self.stream.write_all(raw.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Takes further requests on the connection.
    pub(super) fn keep(self) {
        tokio::spawn(read(self.stream, self.nth + 1, self.hub));
    }

    /// Answers with a status and a body, and keeps the connection.
    pub(super) async fn respond(mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.send(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")).await;
        self.keep();
    }

    pub(super) async fn accept(self) {
        self.respond("202 Accepted", "", "").await;
    }

    pub(super) async fn answer(self, body: &str) {
        self.answer_with("", body).await;
    }

    /// Answers with [`result`], under the id of the request.
    pub(super) async fn succeed(self) {
        let answer = self.under_its_id(&result(0));
        self.answer(&answer).await;
    }

    pub(super) async fn answer_with(self, headers: &str, body: &str) {
        self.respond("200 OK", &format!("{headers}Content-Type: application/json\r\n"), body).await;
    }

    /// Refuses with a JSON-RPC error.
    pub(super) async fn refuse(self, status: &str, body: &str) {
        self.respond(status, "Content-Type: application/json\r\n", body).await;
    }

    /// Opens an event stream.
    pub(super) async fn open_stream(&mut self) {
        self.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
    }

    /// Sends a piece of the stream, written as it is.
    pub(super) async fn chunk(&mut self, text: &str) {
        let mut chunk = String::new();
        write!(chunk, "{:x}\r\n{text}\r\n", text.len()).unwrap();
        self.send(chunk).await;
    }

    /// Sends a message as an event.
    pub(super) async fn event(&mut self, message: &str) {
        self.chunk(&format!("data: {message}\n\n")).await;
    }

    /// Ends the stream as HTTP has it, and keeps the connection.
    pub(super) async fn end_stream(mut self) {
        self.send("0\r\n\r\n").await;
        self.keep();
    }

    /// Waits until the client closes the connection.
    pub(super) async fn closed(mut self) {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}

pub(super) fn call(link: &Link, text: &str) -> Reply {
    call_as(link, text, Origin::default())
}

pub(super) fn call_as(link: &Link, text: &str, origin: Origin) -> Reply {
    link.call(Call::message(message(text), Context::new(origin, None)))
}

/// The next item of a reply, as text.
pub(super) async fn next(reply: &mut Reply) -> Option<Result<String, CallError>> {
    let item = reply.next().await?;
    Some(item.map(|message| String::from_utf8(message.to_bytes().to_vec()).unwrap()))
}

/// The answer to a request without interim messages.
pub(super) async fn ask(link: &Link, request: impl AsRef<str>) -> Result<String, CallError> {
    let mut reply = call(link, request.as_ref());
    let answer = next(&mut reply).await.unwrap()?;
    assert_eq!(next(&mut reply).await, None);
    Ok(answer)
}

pub(super) fn initialize(revision: Revision) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{revision}","capabilities":{{}},"clientInfo":{{"name":"test","version":"1"}}}}}}"#
    )
}

pub(super) fn initialized(revision: Revision) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"result":{{"protocolVersion":"{revision}","capabilities":{{}},"serverInfo":{{"name":"peer","version":"1"}}}}}}"#
    )
}

/// A legacy tool call.
pub(super) fn tool_call(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{}}}}}}"#
    )
}

/// A modern request; `params` are members before `_meta`, with a comma behind them.
pub(super) fn modern(id: u64, method: &str, params: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    )
}

pub(super) fn result(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"ok":true}}}}"#)
}

//! Two endpoints on sockets that share a key: sessions move between them, and nothing else does.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use crossway_proto::Message;
use crossway_router::SealedSessions;
use crossway_seal::Keyring;
use crossway_streamable_http::server::http::{HttpLimits, serve};
use crossway_streamable_http::server::{Config, StreamableHttp};
use crossway_testkit::Scripted;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// One replica.
struct Replica {
    address: SocketAddr,
    service: StreamableHttp,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Replica {
    /// Serves on `route`. Its server answers each call with `name` and what it has seen of the session before that.
    async fn new(name: &'static str, ring: &Arc<Keyring>, route: &str) -> Self {
        let upstream = Scripted::answering(move |message: &Message| {
            let Some(id) = message.request_id() else { return Vec::new() };
            let result = if message.is_method("initialize") {
                json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}})
            } else {
                json!({"by": name})
            };
            vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)]
        });
        let handles = SealedSessions::new(Arc::clone(ring), route);
        let service = StreamableHttp::new(upstream, Config::new().session_handles(Arc::new(handles)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, service.clone(), HttpLimits::default(), std::future::pending()));
        Self { address, service, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn send(
        &self,
        method: Method,
        session: Option<&str>,
        body: String,
    ) -> (u16, Option<String>, Value) {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}/mcp", self.address).parse().unwrap();
        let headers = request.headers_mut();
        headers.insert("accept", "application/json, text/event-stream".parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        if let Some(session) = session {
            headers.insert("mcp-session-id", session.parse().unwrap());
        }
        let response = self.http.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let session = parts.headers.get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), session, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn open(&self) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"sampling": {}}, "clientInfo": {"name": "c", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
        let (status, session, _) = self.send(Method::POST, None, body).await;
        assert_eq!(status, 200);
        session.unwrap()
    }

    /// The status of a call, and who has answered it.
    async fn call(&self, session: &str) -> (u16, String) {
        let body =
            json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "t"}}).to_string();
        let (status, _, answer) = self.send(Method::POST, Some(session), body).await;
        (status, answer["result"]["by"].as_str().unwrap_or_default().to_owned())
    }

    async fn end(&self, session: &str) -> u16 {
        self.send(Method::DELETE, Some(session), String::new()).await.0
    }
}

fn ring(keys: &[&str]) -> Arc<Keyring> {
    Arc::new(Keyring::parse(&keys.join("\n")).unwrap())
}

fn served(by: &str) -> (u16, String) {
    (200, by.to_owned())
}

fn not_found() -> (u16, String) {
    (404, String::new())
}

#[tokio::test]
async fn a_session_moves_between_replicas_that_share_a_key() {
    let ring = Arc::new(Keyring::random().unwrap());
    let (a, b) = (Replica::new("a", &ring, "/mcp").await, Replica::new("b", &ring, "/mcp").await);
    let session = a.open().await;
    for _ in 0..3 {
        assert_eq!(a.call(&session).await, served("a"));
        assert_eq!(b.call(&session).await, served("b"));
    }
    assert_eq!((a.service.sessions(), b.service.sessions()), (1, 1));
    a.service.close().await;
    assert_eq!(b.call(&session).await, served("b"), "one of them may go");
}

#[tokio::test]
async fn a_session_opens_with_another_s_key_on_another_route_or_changed_nowhere() {
    let ours = Arc::new(Keyring::random().unwrap());
    let theirs = Arc::new(Keyring::random().unwrap());
    let a = Replica::new("a", &ours, "/mcp").await;
    let other_key = Replica::new("b", &theirs, "/mcp").await;
    let other_route = Replica::new("c", &ours, "/files/mcp").await;
    let session = a.open().await;
    assert_eq!(other_key.call(&session).await, not_found());
    assert_eq!(other_route.call(&session).await, not_found());
    for at in 0..session.len() {
        let mut forged = session.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(a.call(&forged).await, not_found(), "changed at {at}");
    }
    for (replica, there_are) in [(&a, 1), (&other_key, 0), (&other_route, 0)] {
        assert_eq!(replica.service.sessions(), there_are);
    }
    assert_eq!(a.call(&session).await, served("a"));
}

#[tokio::test]
async fn a_session_that_was_ended_is_not_found_where_that_is_known() {
    let ring = Arc::new(Keyring::random().unwrap());
    let (a, b) = (Replica::new("a", &ring, "/mcp").await, Replica::new("b", &ring, "/mcp").await);
    let session = a.open().await;
    assert_eq!(b.call(&session).await, served("b"));
    assert_eq!(b.end(&session).await, 204);
    assert_eq!(b.call(&session).await, not_found());
    assert_eq!(b.end(&session).await, 404);
    assert_eq!(a.call(&session).await, served("a"), "nobody has told the other replica");
    assert_eq!(a.end(&session).await, 204);
    assert_eq!(a.call(&session).await, not_found());
}

#[tokio::test]
async fn sessions_outlive_the_rotation_of_keys() {
    let (old, new) = (Keyring::generate().unwrap(), Keyring::generate().unwrap());
    let before = Replica::new("before", &ring(&[&old]), "/mcp").await;
    let both = Replica::new("both", &ring(&[&new, &old]), "/mcp").await;
    let after = Replica::new("after", &ring(&[&new]), "/mcp").await;
    let (early, late) = (before.open().await, both.open().await);
    assert_eq!(both.call(&early).await, served("both"));
    assert_eq!(after.call(&late).await, served("after"));
    assert_eq!(after.call(&early).await, not_found());
    assert_eq!(before.call(&late).await, not_found());
}

/// Calls go to either replica as a balancer without memory sends them, and one replica goes away in the middle.
#[tokio::test]
async fn sessions_move_under_load_and_each_call_is_answered_by_whom_it_reached() {
    let ring = Arc::new(Keyring::random().unwrap());
    let a = Arc::new(Replica::new("a", &ring, "/mcp").await);
    let b = Arc::new(Replica::new("b", &ring, "/mcp").await);
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..20usize {
        let replicas = [(Arc::clone(&a), "a"), (Arc::clone(&b), "b")];
        clients.spawn(async move {
            let session = replicas[client % 2].0.open().await;
            for call in 0..20 {
                let (replica, name) = &replicas[(client + call / (1 + client % 3)) % 2];
                assert_eq!(replica.call(&session).await, served(name));
            }
            session
        });
    }
    let sessions = clients.join_all().await;
    assert_eq!((a.service.sessions(), b.service.sessions()), (20, 20));
    a.service.close().await;
    for session in &sessions {
        assert_eq!(b.call(session).await, served("b"));
    }
    let unlike: std::collections::HashSet<_> = sessions.iter().collect();
    assert_eq!(unlike.len(), sessions.len());
}

//! A bound on the requests of a caller, which something in front of the server knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossway_service::{CallError, Reason, RequestLimiter};
use crossway_streamable_http::server::{Config, StreamableHttp};
use http::{Method, Request};

use crate::support::{Answer, Client, INITIALIZED, call, echo, initialize};

/// Lets so many requests through.
fn bound(most: usize) -> RequestLimiter {
    let left = Arc::new(AtomicUsize::new(most));
    RequestLimiter::new(move || {
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let error = CallError::not_sent(Reason::OverLimit("too many requests".into()));
        taken.map(drop).map_err(|_| error.with_retry_after(Duration::from_millis(2500)))
    })
}

/// A client whose requests have a bound.
struct Bounded {
    client: Client,
    bound: RequestLimiter,
}

impl Bounded {
    async fn send(&self, method: Method, body: &str) -> Answer {
        let mut request = Request::new(http_body_util::Full::from(body.to_owned()));
        *request.method_mut() = method;
        *request.headers_mut() = self.client.headers.clone();
        request.extensions_mut().insert(self.bound.clone());
        self.client.send_request(request).await
    }

    async fn post(&self, body: &str) -> Answer {
        self.send(Method::POST, body).await
    }

    /// A session that was opened by the first request of the bound.
    async fn open(service: &StreamableHttp, version: &str, most: usize) -> Self {
        let mut client = Self { client: Client::new(service), bound: bound(most) };
        let id = client.post(&initialize(version)).await.header("mcp-session-id");
        client.client.set("mcp-session-id", &id);
        assert_eq!(client.post(INITIALIZED).await.status, 202);
        client
    }
}

/// Told by HTTP, and by the error that answers the request.
async fn assert_too_many(answer: Answer, id: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("retry-after").as_str()), (429, "3"));
    let told = answer.json().await;
    assert_eq!((told["id"].to_string().as_str(), &told["error"]["code"]), (id, &(-31003).into()), "{told}");
    assert_eq!(told["error"]["data"]["outcome"], "not sent");
    assert_eq!(told["error"]["data"]["retryAfterSeconds"], 3);
}

#[tokio::test]
async fn what_is_too_much_outside_of_a_session_gets_429_and_opens_nothing() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let client = Bounded { client: Client::new(&service), bound: bound(0) };
    assert_too_many(client.post(&initialize("2025-11-25")).await, "\"init\"").await;
    assert_eq!(service.sessions(), 0);
    let modern = Bounded { client: Client::modern(&service, "tools/list"), bound: bound(0) };
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    assert_too_many(modern.post(list).await, "1").await;
}

#[tokio::test]
async fn a_request_too_many_in_a_session_fails_as_a_call_does_and_the_session_goes_on() {
    let service = StreamableHttp::new(echo("2025-11-25"), Config::new());
    let client = Bounded::open(&service, "2025-11-25", 2).await;
    assert_eq!(client.post(&call("1")).await.json().await["result"]["method"], "tools/call");
    let answer = client.post(&call("2")).await;
    assert_eq!(answer.status, 200);
    let told = answer.json().await;
    assert_eq!((&told["id"], &told["error"]["code"]), (&2.into(), &(-31003).into()), "{told}");
    assert_eq!(told["error"]["data"]["retryAfterSeconds"], 3);
    // A stream would stay open.
    assert_too_many(client.send(Method::GET, "").await, "null").await;
    // What frees something, or lets others end, is never too much.
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    for message in [cancelled, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#] {
        assert_eq!(client.post(message).await.status, 202, "{message}");
    }
    assert_eq!(client.send(Method::DELETE, "").await.status, 204);
    assert_eq!(service.sessions(), 0);
}

#[tokio::test]
async fn each_request_of_a_batch_counts() {
    let service = StreamableHttp::new(echo("2025-03-26"), Config::new());
    let client = Bounded::open(&service, "2025-03-26", 3).await;
    let batch = format!("[{},{},{INITIALIZED},{}]", call("1"), call("2"), call("3"));
    let told = client.post(&batch).await.json().await;
    let is_error = |id: u64| {
        let answer = told.as_array().unwrap().iter().find(|answer| answer["id"] == id).unwrap();
        answer["error"]["code"] == -31003
    };
    assert_eq!([is_error(1), is_error(2), is_error(3)], [false, false, true], "{told}");
}

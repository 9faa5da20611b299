//! The operations listener over real sockets: probes, metrics, and what is behind the key.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use crossway_gateway::metrics::{CallOutcome, Metrics};
use crossway_gateway::operations::{
    AdminKey, BadQuestion, Operations, OperationsSource, Readiness, SessionCount, UpstreamState,
    UpstreamStatus, limits,
};
use crossway_proto::http_rules::AllowedHosts;
use crossway_streamable_http::server::http::serve;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const KEY: &str = "an-admin-key-for-this-test";

struct Source;

impl OperationsSource for Source {
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        let mut down = UpstreamStatus::new("jira", UpstreamState::Down);
        down.last_error = Some("the MCP server can't be reached".to_owned());
        vec![UpstreamStatus::new("wiki", UpstreamState::Up), down]
    }

    fn sessions(&self) -> Vec<SessionCount> {
        let count = |face, open| SessionCount { face, open };
        vec![count("streamable-http", 3), count("http-sse", 1)]
    }

    fn explain(&self, question: &RawValue) -> Result<Box<RawValue>, BadQuestion> {
        let question: Value = serde_json::from_str(question.get()).unwrap();
        match question.get("tool") {
            Some(tool) => Ok(RawValue::from_string(json!({"asked": tool}).to_string()).unwrap()),
            None => Err(BadQuestion::new("which tool?")),
        }
    }
}

struct Listener {
    address: SocketAddr,
    readiness: Readiness,
    metrics: Metrics,
    task: JoinHandle<()>,
}

impl Listener {
    async fn start(key: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (readiness, metrics) = (Readiness::new(), Metrics::new());
        let key = key.map(|key| AdminKey::new(key).unwrap());
        let hosts = AllowedHosts::loopback();
        let operations = Operations::new(Source, readiness.clone(), metrics.clone(), hosts, key);
        let task = tokio::spawn(serve(listener, operations, limits::http(), std::future::pending()));
        Self { address, readiness, metrics, task }
    }

    /// Sends a request, and gives the status, the head and the body.
    async fn ask(&self, line: &str, headers: &str, body: &str) -> (u16, String, String) {
        let host = if headers.to_ascii_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{line} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.ask(&format!("GET {path}"), "", "").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn with_key(&self, line: &str, body: &str) -> (u16, Value) {
        let (status, _, body) = self.ask(line, &format!("Authorization: Bearer {KEY}\r\n"), body).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn readiness_waits_for_all_parts_and_goes_first_at_the_end() {
    let listener = Listener::start(None).await;
    assert_eq!(listener.get("/livez").await, (200, json!({"status": "alive"})));
    listener.readiness.config_loaded();
    let (status, body) = listener.get("/readyz").await;
    assert_eq!(
        (status, &body["status"], &body["config"], &body["keys"]),
        (503, &json!("starting"), &json!(true), &json!(false))
    );
    listener.readiness.keys_loaded(true);
    listener.readiness.listening();
    let (status, body) = listener.get("/readyz").await;
    assert_eq!((status, &body["status"]), (200, &json!("ready")));
    // An upstream that is down is told, and takes no part in the verdict.
    assert_eq!(
        body["upstreams"],
        json!([{"name": "wiki", "state": "up"}, {"name": "jira", "state": "down"}])
    );
    listener.readiness.stopping();
    let (status, body) = listener.get("/readyz").await;
    assert_eq!((status, &body["status"]), (503, &json!("stopping")));
    assert_eq!(listener.get("/livez").await.0, 200);
}

#[tokio::test]
async fn metrics_are_text_with_the_states_of_the_moment() {
    let listener = Listener::start(None).await;
    listener.metrics.calls("acme", "wiki").begin(3).ended(CallOutcome::NotSent);
    let (status, head, body) = listener.ask("GET /metrics", "", "").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    for line in [
        r#"crossway_calls_total{tenant="acme",upstream="wiki",outcome="not_sent"} 1"#,
        r#"crossway_upstream_state{upstream="jira",state="down"} 1"#,
        r#"crossway_upstream_state{upstream="wiki",state="down"} 0"#,
        r#"crossway_sessions{face="streamable-http"} 3"#,
    ] {
        assert!(body.lines().any(|it| it == line), "no {line} in {body}");
    }
}

#[tokio::test]
async fn admin_opens_with_the_key_alone() {
    let listener = Listener::start(Some(KEY)).await;
    let upper = KEY.to_uppercase();
    for headers in [
        String::new(),
        "Authorization: Bearer\r\n".to_owned(),
        format!("Authorization: Bearer {upper}\r\n"),
        format!("Authorization: Basic {KEY}\r\n"),
        format!("Authorization: Bearer {KEY}\r\nAuthorization: Bearer {KEY}\r\n"),
        format!("X-Authorization: Bearer {KEY}\r\n"),
    ] {
        for path in ["/admin/upstreams", "/admin/sessions", "/admin/explain", "/admin/nothing", "/admin"] {
            let (status, head, body) = listener.ask(&format!("GET {path}"), &headers, "").await;
            assert_eq!(status, 401, "{path} {headers}");
            assert!(head.contains("www-authenticate: bearer") && !body.contains("wiki"), "{head} {body}");
        }
    }
    let (status, body) = listener.with_key("GET /admin/upstreams", "").await;
    assert_eq!((status, &body["upstreams"][1]["name"]), (200, &json!("jira")));
    assert_eq!(body["upstreams"][1]["last_error"], "the MCP server can't be reached");
    let (status, body) = listener.with_key("GET /admin/sessions", "").await;
    assert_eq!(
        (status, &body["open"], &body["faces"][0]["face"]),
        (200, &json!(4), &json!("streamable-http"))
    );
    assert_eq!(listener.with_key("GET /admin/nothing", "").await.0, 404);
    let (_, _, metrics) = listener.ask("GET /metrics", "", "").await;
    assert!(
        metrics.contains(r#"crossway_identity_refusals_total{proof="admin-key",reason="missing"} 10"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"crossway_identity_refusals_total{proof="admin-key",reason="wrong"} 20"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn without_a_key_nothing_opens_admin() {
    let listener = Listener::start(None).await;
    for headers in ["", "Authorization: Bearer \r\n"] {
        let (status, _, body) = listener.ask("GET /admin/upstreams", headers, "").await;
        assert_eq!(status, 403, "{body}");
    }
}

#[tokio::test]
async fn a_question_is_answered_or_told_what_is_wrong_with_it() {
    let listener = Listener::start(Some(KEY)).await;
    assert_eq!(
        listener.with_key("POST /admin/explain", r#"{"tool":"get_issue"}"#).await,
        (200, json!({"asked": "get_issue"}))
    );
    assert_eq!(listener.with_key("POST /admin/explain", "{}").await, (400, json!({"error": "which tool?"})));
    assert_eq!(listener.with_key("POST /admin/explain", "{").await.0, 400);
    assert_eq!(listener.with_key("GET /admin/explain", "").await.0, 405);
    let long = " ".repeat(limits::BODY_BYTES) + "{}";
    assert_eq!(listener.with_key("POST /admin/explain", &long).await.0, 413);
}

#[tokio::test]
async fn other_paths_methods_and_hosts_are_refused_clearly() {
    let listener = Listener::start(Some(KEY)).await;
    let (status, body) = listener.get("/mcp").await;
    assert_eq!(status, 404);
    assert!(body["error"].as_str().unwrap().contains("/readyz"));
    let (status, head, _) = listener.ask("POST /livez", "", "").await;
    assert!(status == 405 && head.contains("allow: get"), "{head}");
    let (status, _, body) = listener.ask("HEAD /readyz", "", "").await;
    assert_eq!((status, body.as_str()), (503, ""));
    // Pages whose names were made to point here send their names; probes come by address.
    assert_eq!(listener.ask("GET /metrics", "Host: evil.example\r\n", "").await.0, 403);
    assert_eq!(listener.ask("GET /metrics", "Host: 10.1.2.3.evil.example:9808\r\n", "").await.0, 403);
    assert_eq!(listener.ask("GET /metrics", "Host: 10.1.2.3:9808\r\n", "").await.0, 200);
    assert_eq!(listener.ask("GET /metrics", "Host: [fd00::1]:9808\r\n", "").await.0, 200);
    assert_eq!(listener.ask("GET /metrics", "Host: a\r\nHost: b\r\n", "").await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn connections_without_a_request_keep_probes_out_for_seconds_at_most() {
    for sent in ["", "GET /livez HTTP/1.1\r\nHost:", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let listener = Listener::start(None).await;
        let mut idle = Vec::new();
        for _ in 0..limits::CONNECTIONS {
            let mut stream = TcpStream::connect(listener.address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            if sent.ends_with("\r\n\r\n") {
                assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            }
            idle.push(stream);
        }
        let begun = Instant::now();
        assert_eq!(listener.get("/livez").await.0, 200);
        assert!(begun.elapsed() <= limits::IDLE * 2, "{sent:?} {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_probe_over_http_1_0_needs_no_host() {
    let listener = Listener::start(Some(KEY)).await;
    for (request, status) in [
        ("GET /livez HTTP/1.0\r\n", 200),
        ("HEAD /livez HTTP/1.0\r\n", 200),
        ("GET /readyz HTTP/1.0\r\n", 503),
        ("GET /livez HTTP/1.0\r\nHost: evil.example\r\n", 403),
        ("GET /livez HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET http://evil.example/livez HTTP/1.0\r\n", 403),
        ("GET /livez HTTP/1.1\r\n", 400),
        ("GET /metrics HTTP/1.0\r\n", 400),
        ("GET /admin/upstreams HTTP/1.0\r\n", 400),
    ] {
        let mut stream = TcpStream::connect(listener.address).await.unwrap();
        stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert_eq!(response.split(' ').nth(1), Some(&*status.to_string()), "{request}: {response}");
    }
}

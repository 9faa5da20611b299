//! Requests whose head is wrong, over sockets.

use crossway_streamable_http::server::{Config, Limits};

use crate::support::{ACCEPT, Raw, Served, call, initialize};

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn a_wrong_or_absent_accept_is_not_acceptable() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for accept in
        ["", "accept: application/json\r\n", "accept: text/event-stream\r\n", "accept: text/html\r\n"]
    {
        let headers = format!("{session}{JSON}{accept}");
        served.request("POST", &headers, call("1").as_bytes()).await.assert_refused(406, -32600);
    }
    for accept in ["", "accept: application/json\r\n"] {
        served.request("GET", &format!("{session}{accept}"), b"").await.assert_refused(406, -32600);
    }
    for accept in ["*/*", "text/event-stream;q=0.5, application/json;charset=utf-8", "Application/*, Text/*"]
    {
        let headers = format!("{session}{JSON}accept: {accept}\r\n");
        assert_eq!(served.request("POST", &headers, call("1").as_bytes()).await.status, 200, "{accept}");
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn a_wrong_or_absent_content_type_is_not_supported() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for kind in
        ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "json"]
    {
        let kind = if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
        let headers = format!("{session}{kind}{ACCEPT}");
        served.request("POST", &headers, call("1").as_bytes()).await.assert_refused(415, -32600);
    }
    let headers = format!("{session}content-type: Application/JSON; charset=UTF-8\r\n{ACCEPT}");
    assert_eq!(served.request("POST", &headers, call("1").as_bytes()).await.status, 200);
    served.assert_serves().await;
}

#[tokio::test]
async fn a_wrong_protocol_version_is_a_bad_request() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for version in ["1.0", "2025-11-26", "2025-11-25, 2025-06-18", ""] {
        let headers = format!("{session}mcp-protocol-version: {version}\r\n");
        served.post(&headers, call("1").as_bytes()).await.assert_refused(400, -32600);
        served.request("GET", &format!("{headers}{ACCEPT}"), b"").await.assert_refused(400, -32600);
        served.request("DELETE", &headers, b"").await.assert_refused(400, -32600);
    }
    let twice = "mcp-protocol-version: 2025-11-25\r\n".repeat(2);
    served.post(&format!("{session}{twice}"), call("1").as_bytes()).await.assert_refused(400, -32600);
    let opening = served.post("mcp-protocol-version: x\r\n", initialize("2025-11-25").as_bytes()).await;
    opening.assert_refused(400, -32600);
    served.assert_serves().await;
}

#[tokio::test]
async fn an_absent_protocol_version_is_the_one_agreed_upon() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for version in ["", "mcp-protocol-version: 2025-11-25\r\n", "mcp-protocol-version: 2025-03-26\r\n"] {
        let answer = served.post(&format!("{session}{version}"), call("1").as_bytes()).await;
        assert_eq!(answer.status, 200, "{version}");
    }
}

#[tokio::test]
async fn a_foreign_host_is_forbidden() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let body = initialize("2025-11-25");
    for host in ["evil.example.com", "localhost.evil.example", "127.0.0.1.evil.example", "169.254.169.254"] {
        for method in ["POST", "GET", "DELETE", "PUT"] {
            let head =
                format!("{method} /mcp HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{JSON}{ACCEPT}");
            let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            served.raw(request.as_bytes()).await.assert_refused(403, -32600);
        }
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8808", "[::1]:8808"] {
        let head = format!("POST /mcp HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{JSON}{ACCEPT}");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        assert_eq!(served.raw(request.as_bytes()).await.status, 200, "{host}");
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn an_absent_host_or_two_are_a_bad_request() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let rest = format!("connection: close\r\n{JSON}{ACCEPT}content-length: 0\r\n\r\n");
    for hosts in ["", "host: localhost\r\nhost: localhost\r\n", "host: a b\r\n"] {
        let request = format!("POST /mcp HTTP/1.1\r\n{hosts}{rest}");
        served.raw(request.as_bytes()).await.assert_refused(400, -32600);
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn a_foreign_origin_is_forbidden() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    for origin in ["http://evil.example.com", "null", "http://localhost.evil.example", "nonsense", "file://"]
    {
        let headers = format!("{session}origin: {origin}\r\n");
        served.post(&headers, call("1").as_bytes()).await.assert_refused(403, -32600);
        served.request("GET", &format!("{headers}{ACCEPT}"), b"").await.assert_refused(403, -32600);
        served.request("DELETE", &headers, b"").await.assert_refused(403, -32600);
        served.request("OPTIONS", &headers, b"").await.assert_refused(403, -32600);
    }
    let own = format!("{session}origin: http://{}\r\n", served.address);
    assert_eq!(served.post(&own, call("1").as_bytes()).await.status, 200);
    served.assert_serves().await;
}

#[tokio::test]
async fn other_verbs_are_not_allowed() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = served.request(method, "", b"{}").await;
        answer.assert_refused(405, -32600);
        assert_eq!(answer.header("allow"), Some("get, post, delete"), "{method}");
    }
    let head = served.request("HEAD", "", b"").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("get, post, delete")));
    served.assert_serves().await;
}

#[tokio::test]
async fn a_header_section_that_is_too_large_is_refused() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    let cookie = |bytes: usize| format!("{session}cookie: {}\r\n", "c".repeat(bytes));
    assert_eq!(served.post(&cookie(32 * 1024), call("1").as_bytes()).await.status, 200);
    served.post(&cookie(Limits::HEADER_BYTES), call("1").as_bytes()).await.assert_refused(431, -32600);
    // Beyond what hyper reads there is its own answer, which has no body.
    let many = "a: b\r\n".repeat(101);
    for headers in [cookie(1 << 20), many] {
        let answer = served.request("POST", &headers, b"{}").await;
        assert_eq!((answer.status, answer.body.as_str()), (431, ""));
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for garbage in [&b"{\"jsonrpc\":\"2.0\"}\r\n\r\n"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", tls] {
        let answer = served.raw(garbage).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, ""));
    }
    let line_break = "POST /mcp HTTP/1.1\r\nhost: localhost\r\nmcp-session-id: a\0b\r\n\r\n";
    assert_eq!(served.raw(line_break.as_bytes()).await.status, 400);
    served.assert_serves().await;
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends_its_body() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let body = vec![b' '; 8 << 20];
    served.post("mcp-session-id: 0\r\n", &body).await.assert_refused(404, -32600);
    served.post("origin: http://evil.example\r\n", &body).await.assert_refused(403, -32600);
    served.assert_serves().await;
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_to_continue_is_refused_at_once() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\n{JSON}{ACCEPT}expect: 100-continue\r\nconnection: close\r\n"
    );
    for (headers, status) in
        [("mcp-session-id: 0\r\ncontent-length: 9\r\n", 404), ("content-length: 99999999\r\n", 413)]
    {
        let mut stream = served.connect().await;
        let request = format!("{head}{headers}\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        Raw::read(stream).await.assert_refused(status, -32600);
    }
    served.assert_serves().await;
}

//! Session ids that are none, over sockets.

use crossway_streamable_http::server::Config;

use crate::support::{ACCEPT, Served, call};

/// Sends `session` with each method that may have one.
async fn assert_refused(served: &Served, session: &str, status: u16) {
    served.post(session, call("1").as_bytes()).await.assert_refused(status, -32600);
    served.request("GET", &format!("{ACCEPT}{session}"), b"").await.assert_refused(status, -32600);
    served.request("DELETE", session, b"").await.assert_refused(status, -32600);
}

#[tokio::test]
async fn an_unknown_session_is_not_found() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    assert_refused(&served, "mcp-session-id: 00000000000000000000000000000000\r\n", 404).await;
    served.assert_serves().await;
}

#[tokio::test]
async fn an_ended_session_is_not_found() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    assert_eq!(served.request("DELETE", &session, b"").await.status, 204);
    assert_refused(&served, &session, 404).await;
    served.assert_serves().await;
}

#[tokio::test]
async fn a_foreign_session_is_not_found() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let other = Served::echo("2025-11-25", Config::new()).await;
    assert_refused(&served, &other.session().await, 404).await;
    served.assert_serves().await;
}

#[tokio::test]
async fn a_missing_session_is_a_bad_request() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    assert_refused(&served, "", 400).await;
    served.assert_serves().await;
}

#[tokio::test]
async fn a_malformed_session_is_not_found_or_a_bad_request() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let long = "a".repeat(1024);
    for id in ["x", "00000000-0000-0000-0000-000000000000", &"0".repeat(33), &long] {
        assert_refused(&served, &format!("mcp-session-id: {id}\r\n"), 404).await;
    }
    // What breaks the rules for ids is no session that there ever was.
    for id in ["", "a b", "\u{e9}", &format!("{long}a")] {
        assert_refused(&served, &format!("mcp-session-id: {id}\r\n"), 400).await;
    }
    let session = served.session().await;
    assert_refused(&served, &format!("{session}{session}"), 400).await;
    served.assert_serves().await;
}

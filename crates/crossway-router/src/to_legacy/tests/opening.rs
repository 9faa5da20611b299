//! How a session opens, and what holds a call up before it is sent.

use super::*;

#[tokio::test]
async fn discovery_opens_the_session_that_calls_use() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut discovered = rig.call(modern("1", "server/discover", "{}", "", ""));
    let server = rig.server().await;
    assert!(text(&discovered.next().await).contains(r#""supportedVersions":["2026-07-28"]"#));
    let _call = rig.call(tool("2", "{}"));
    server.expect("tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_initialize_is_given_up_and_the_next_call_tries_again() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut call = rig.call(tool("1", "{}"));
    let (_, silent) = rig.servers.recv().await.unwrap();
    let error = call.messages.recv().await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(error.to_string().contains("has not answered within 30 s"), "{error}");
    let mut again = rig.call(tool("2", "{}"));
    // The first attempt and the second: "The `initialize` request **MUST NOT** be cancelled by clients" (2025-11-25,
    // basic/utilities/cancellation).
    silent.expect("initialize").await;
    let id = silent.expect("initialize").await;
    silent.answer(&id, OPENED);
    silent.receive().await.unwrap();
    let id = silent.expect("tools/call").await;
    silent.answer(&id, "{}");
    again.next().await;
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_an_opening_are_told_of_its_failure_at_once() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let began = tokio::time::Instant::now();
    let mut calls = ["1", "2", "3"].map(|id| rig.call(tool(id, "{}")));
    let (_, silent) = rig.servers.recv().await.unwrap();
    silent.expect("initialize").await;
    for call in &mut calls {
        assert_eq!(call.messages.recv().await.unwrap().unwrap_err().outcome(), Outcome::NotSent);
    }
    assert_eq!(began.elapsed(), limits::OPEN_TIME);
    let _again = rig.call(tool("4", "{}"));
    silent.expect("initialize").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_about_logs_holds_a_call_up_for_so_long_and_no_longer() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let level = r#","io.modelcontextprotocol/logLevel":"debug""#;
    let _call = rig.call(modern("1", "tools/call", "{}", level, r#","name":"n""#));
    let server = rig.server().await;
    let began = tokio::time::Instant::now();
    let id = server.expect("logging/setLevel").await;
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    server.expect("tools/call").await;
    assert_eq!(began.elapsed(), limits::OPEN_TIME);
}

#[tokio::test]
async fn what_is_no_request_of_a_modern_revision_opens_no_session() {
    let rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    for (meta, code) in [
        (
            r#""io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}"#,
            -32022,
        ),
        (r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#, -32602),
    ] {
        for method in ["server/discover", "tools/list", "subscriptions/listen"] {
            let request =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"_meta":{{{meta}}}}}}}"#);
            let refused = text(&rig.call(message(&request)).next().await);
            assert!(refused.contains(&format!(r#""code":{code}"#)), "{method}: {refused}");
        }
    }
}

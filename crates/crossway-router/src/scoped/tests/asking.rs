//! Calls that still wait for their clients after their replies.

use crossway_testkit::text;

use super::*;
use crate::limits::PARKED_TIME;
use crate::to_legacy::{SharedBy, ToLegacy, ToLegacyOptions};

const OPENED: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#;

/// Instances of a legacy server.
fn legacy(options: ScopedOptions) -> (Scoped, Made) {
    let (made, servers) = mpsc::channel(16);
    let make = scripted(made);
    let make = move |key: &ScopeKey, context: &Context| -> Box<dyn Upstream> {
        Box::new(ToLegacy::new("b", make(key, context), ToLegacyOptions::shared_by(SharedBy::Everyone)))
    };
    (Scoped::new(make, options), servers)
}

/// A call of a client that can be asked; `rest` is added to its parameters.
fn call_of_one_who_can_be_asked(scoped: &Scoped, key: &str, rest: &str) -> Reply {
    let meta = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}"#;
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"_meta":{{{meta}}},"name":"x"{rest}}}}}"#
    );
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    let mut context = Context::default();
    context.extensions.insert(ScopeKey::new(key));
    scoped.connect(Scope::Shared).call(Call::message(message, context))
}

/// A call of alice's that waits for her: its server, its id there, and the parameters of her answer.
async fn waiting(scoped: &Scoped, made: &mut Made) -> (Server, RequestId, String) {
    let mut reply = call_of_one_who_can_be_asked(scoped, "alice", "");
    let (asked, (server, id)) = tokio::join!(reply.next(), async {
        let (_, server) = made.recv().await.unwrap();
        let id = server.expect("initialize").await;
        server.answer(&id, OPENED);
        server.receive().await.unwrap();
        let id = server.expect("tools/call").await;
        server.send(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?"}}"#);
        (server, id)
    });
    let asked = asked.unwrap().unwrap();
    let state = asked.member(Part::Result, "requestState").unwrap();
    let asks: std::collections::BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(asked.member(Part::Result, "inputRequests").unwrap()).unwrap();
    let name = asks.keys().next().unwrap();
    let state = String::from_utf8(state.to_vec()).unwrap();
    let rest = format!(
        r#","requestState":{state},"inputResponses":{{"{name}":{{"action":"accept","content":{{}}}}}}"#
    );
    assert!(reply.next().await.is_none());
    (server, id, rest)
}

/// Alice answers, and her call continues where it was.
async fn goes_on(scoped: &Scoped, (server, id, rest): (Server, RequestId, String)) {
    let mut reply = call_of_one_who_can_be_asked(scoped, "alice", &rest);
    assert!(server.receive().await.unwrap().is_response());
    server.answer(&id, r#"{"content":[]}"#);
    assert!(text(&reply.next().await.unwrap().unwrap()).contains(r#""content":[]"#));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_client_is_a_use_of_its_instance() {
    let (scoped, mut made) = legacy(ScopedOptions::default().instances(1).idle(Duration::from_secs(60)));
    let waits = waiting(&scoped, &mut made).await;
    // The waiting call's instance is not evicted, and does not count as idle.
    let refused = call_of_one_who_can_be_asked(&scoped, "bob", "").next().await.unwrap().unwrap_err();
    assert_eq!(refused.retry_after(), Some(FULL_RETRY));
    tokio::time::sleep(PARKED_TIME / 2).await;
    goes_on(&scoped, waits).await;
    tokio::time::sleep(Duration::from_secs(60) + POOL_SWEEP).await;
    assert!(scoped.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_client_is_found_in_an_old_instance() {
    let age = PARKED_TIME / 2;
    let (scoped, mut made) = legacy(ScopedOptions::default().age(age));
    let waits = waiting(&scoped, &mut made).await;
    tokio::time::sleep(age + POOL_SWEEP * 2).await;
    goes_on(&scoped, waits).await;
    // Then another instance replaces it.
    let _next = call_of_one_who_can_be_asked(&scoped, "alice", "");
    made.recv().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_instance_ends_with_its_calls_that_wait() {
    let (scoped, mut made) = legacy(ScopedOptions::default());
    let (server, ..) = waiting(&scoped, &mut made).await;
    scoped.retain(|_| false);
    let ends = async { while server.receive().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(1), ends).await.expect("it is not kept for the call");
}

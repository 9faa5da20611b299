//! Cancellation, in both eras.

use crossway_proto::Revision;
use crossway_service::Origin;

use super::peer::{Peer, ask, call, call_as, initialize, message, modern, next, result, tool_call};
use crossway_service::{Scope, Upstream};

const LEGACY: Revision = Revision::V2025_11_25;
const CANCEL: &str = r#"{"params":{"reason":"had enough", "requestId":1.0}, "method":"notifications/cancelled","jsonrpc":"2.0"}"#;

#[tokio::test]
async fn a_legacy_cancellation_is_passed_on_unchanged_and_ends_its_call() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let mut reply = call(&link, &tool_call(1));
    let (end, ()) = tokio::join!(next(&mut reply), async {
        let held = peer.expect("POST", "tools/call").await;
        let mut cancelling = call(&link, CANCEL);
        let (end, ()) = tokio::join!(next(&mut cancelling), async {
            let exchange = peer.expect("POST", "notifications/cancelled").await;
            assert_eq!(exchange.body, CANCEL);
            assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
            exchange.accept().await;
        });
        assert_eq!(end, None);
        drop(held);
    });
    assert_eq!(end, None);
    drop(reply);
    assert!(peer.is_silent(), "the cancellation is told once");
}

#[tokio::test]
async fn dropping_a_legacy_reply_tells_the_server() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    let mut reply = call(&link, &tool_call(1));
    let held = tokio::select! {
        item = next(&mut reply) => panic!("{item:?}"),
        held = peer.expect("POST", "tools/call") => held,
    };
    drop(reply);
    let exchange = peer.expect("POST", "notifications/cancelled").await;
    assert_eq!(message(&exchange.body).cancelled_id(), Some(1.into()));
    assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
    exchange.accept().await;
    held.closed().await;
}

#[tokio::test]
async fn a_reply_that_was_never_polled_sends_nothing() {
    let mut peer = Peer::new().await;
    let link = peer.session(LEGACY).await;
    drop(call(&link, &tool_call(1)));
    let (answer, ()) = tokio::join!(ask(&link, tool_call(2)), async {
        let exchange = peer.expect("POST", "tools/call").await;
        assert_eq!(message(&exchange.body).id(), Some(2.into()));
        exchange.answer(&result(2)).await;
    });
    assert_eq!(answer, Ok(result(2)));
}

#[tokio::test]
async fn a_dropped_initialize_is_not_cancelled_by_a_message() {
    let mut peer = Peer::new().await;
    let link = peer.link();
    let mut reply = call(&link, &initialize(LEGACY));
    let held = tokio::select! {
        item = next(&mut reply) => panic!("{item:?}"),
        held = peer.expect("POST", "initialize") => held,
    };
    drop(reply);
    held.closed().await;
    assert!(peer.is_silent());
}

#[tokio::test]
async fn dropping_a_modern_reply_closes_its_stream_and_sends_nothing() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let mut reply = call(&link, &modern(71, "tools/list", ""));
    let mut held = tokio::select! {
        item = next(&mut reply) => panic!("{item:?}"),
        held = peer.expect("POST", "tools/list") => held,
    };
    held.open_stream().await;
    drop(reply);
    held.closed().await;
    assert!(peer.is_silent());
}

#[tokio::test]
async fn a_modern_cancellation_closes_the_stream_of_its_call_alone() {
    let mut peer = Peer::new().await;
    let link = peer.upstream.connect(Scope::Shared);
    let (ours, theirs) = (Origin::unique(), Origin::unique());
    let mut cancelled = call_as(&link, &modern(71, "tools/list", ""), ours);
    let mut other = call_as(&link, &modern(71, "tools/list", ""), theirs);
    let script = async {
        // Both have the same id; the origin tells them apart.
        let (first, second) = (peer.next().await, peer.next().await);
        let cancel = CANCEL.replace("1.0", "71.0");
        assert_eq!(next(&mut call_as(&link, &cancel, ours)).await, None);
        (first, second)
    };
    let (end, (first, second)) = tokio::select! {
        item = next(&mut other) => panic!("{item:?}"),
        done = async { tokio::join!(next(&mut cancelled), script) } => done,
    };
    assert_eq!(end, None);
    // One of the two is closed, and the other is answered.
    let answer = |exchange: super::peer::Exchange| async move { exchange.succeed().await };
    let (answered, (), ()) = tokio::join!(next(&mut other), answer(first), answer(second));
    assert_eq!(answered, Some(Ok(result(71))));
    assert!(peer.is_silent());
}

#[tokio::test]
async fn cancelling_what_is_over_reaches_a_legacy_server_and_no_modern_one() {
    let mut peer = Peer::new().await;
    let shared = peer.upstream.connect(Scope::Shared);
    assert_eq!(next(&mut call(&shared, CANCEL)).await, None);
    assert!(peer.is_silent());
    let link = peer.session(LEGACY).await;
    let mut cancelling = call(&link, CANCEL);
    let (end, ()) = tokio::join!(next(&mut cancelling), async {
        peer.expect("POST", "notifications/cancelled").await.accept().await;
    });
    assert_eq!(end, None);
}

//! Whose a log message is that a server sends without telling for which call.

use super::*;

fn log_of(data: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":{data}}}}}"#
    )
}

#[tokio::test]
async fn a_log_message_reaches_no_other_client_than_the_one_whose_call_it_may_be_of() {
    let (link, server) = connected().await;
    let (ours, theirs) = (Origin::unique(), Origin::unique());
    let log = |data| server.send(&log_of(data));
    let mut first = call(&link, ours, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let mut second = call(&link, ours, r#"{"jsonrpc":"2.0","id":2,"method":"m"}"#);
    let (id1, id2) = (server.expect("m").await, server.expect("m").await);
    log(1);
    assert!(text(&mut second).await.contains(r#""data":1"#), "both calls are one client's");
    let mut third = call(&link, theirs, r#"{"jsonrpc":"2.0","id":3,"method":"m"}"#);
    let id3 = server.expect("m").await;
    log(2);
    for id in [id1, id2] {
        server.answer(&id, "0");
    }
    assert!(text(&mut first).await.contains("result"));
    assert!(text(&mut second).await.contains("result"));
    // A modern call that asks for no log messages has none.
    let mut quiet = call(
        &link,
        ours,
        r#"{"jsonrpc":"2.0","id":4,"method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
    );
    let id4 = server.expect("m").await;
    log(3);
    server.answer(&id4, "0");
    assert!(text(&mut quiet).await.contains("result"));
    server.answer(&id3, "0");
    assert!(text(&mut third).await.contains(r#""data":3"#), "it is the only one that may be meant");
    assert!(text(&mut third).await.contains("result"));
}

#[tokio::test]
async fn a_log_message_of_a_cancelled_call_reaches_no_other_client() {
    let (link, server) = connected().await;
    let (ours, theirs) = (Origin::unique(), Origin::unique());
    let log = |data| server.send(&log_of(data));
    let cancelled = call(&link, theirs, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let mut before = call(&link, ours, r#"{"jsonrpc":"2.0","id":2,"method":"m"}"#);
    server.expect("m").await;
    let id = server.expect("m").await;
    drop(cancelled);
    // The server has not read of the cancellation yet, neither when it logs nor when it answers what came before it.
    log(1);
    server.answer(&id, "0");
    assert!(text(&mut before).await.contains("result"));
    let mut after = call(&link, ours, r#"{"jsonrpc":"2.0","id":3,"method":"m"}"#);
    log(2);
    assert!(server.receive().await.unwrap().cancelled_id().is_some());
    let id = server.expect("m").await;
    server.answer(&id, "0");
    assert!(text(&mut after).await.contains("result"));
    // Now it has.
    let mut later = call(&link, ours, r#"{"jsonrpc":"2.0","id":4,"method":"m"}"#);
    server.expect("m").await;
    log(3);
    assert!(text(&mut later).await.contains(r#""data":3"#));
}

#[tokio::test]
async fn whose_a_log_message_is_where_clients_share_is_told_when_it_comes() {
    let (upstream, mut connections) = Scripted::new();
    let link = upstream.connect(Scope::Pooled);
    let (_, server) = connections.recv().await.unwrap();
    let mut standing = link.call(Call::listen(Context::default()));
    let (ours, theirs) = (Origin::unique(), Origin::unique());
    let mut first = call(&link, ours, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let mut second = call(&link, theirs, r#"{"jsonrpc":"2.0","id":2,"method":"m"}"#);
    let (id1, id2) = (server.expect("m").await, server.expect("m").await);
    // It may be of either call, so that it is nobody's: of whoever listens neither, who reads it when one of them has ended.
    server.send(&log_of(1));
    server.answer(&id1, "0");
    assert!(text(&mut first).await.contains("result"));
    // What has nothing to log does not make it another's.
    let mut ping = call(&link, theirs, r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#);
    let id3 = server.expect("ping").await;
    server.send(&log_of(2));
    assert!(text(&mut second).await.contains(r#""data":2"#), "it is the only one that may be meant");
    server.answer(&id3, "{}");
    assert!(text(&mut ping).await.contains("result"));
    // It is left, and the server has not heard of it.
    drop(second);
    server.send(&log_of(3));
    let mut asked = call(&link, ours, r#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#);
    assert!(server.receive().await.unwrap().cancelled_id().is_some());
    let id4 = server.expect("ping").await;
    server.answer(&id4, "{}");
    assert!(text(&mut asked).await.contains("result"));
    server.send(&log_of(4));
    assert!(text(&mut standing).await.contains(r#""data":4"#), "it is of no call");
    let _ = id2;
    // What is logged of a subscription is not another client's call's.
    let subscribing = call(
        &link,
        theirs,
        r#"{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"a:b"}}"#,
    );
    server.expect("resources/subscribe").await;
    let mut last = call(&link, ours, r#"{"jsonrpc":"2.0","id":6,"method":"m"}"#);
    let id6 = server.expect("m").await;
    server.send(&log_of(5));
    server.answer(&id6, "0");
    assert!(text(&mut last).await.contains("result"));
    drop(subscribing);
}

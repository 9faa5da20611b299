//! The standing stream and the subscription behind it.

use std::time::Duration;

use super::*;

async fn acknowledge(server: &Server) -> (RequestId, String) {
    let request = server.receive().await.unwrap();
    assert!(request.is_method("subscriptions/listen"), "{request:?}");
    let id = request.id().unwrap();
    server.send(&acknowledgement(&id));
    (id, String::from_utf8(request.params().unwrap().to_vec()).unwrap())
}

fn acknowledgement(id: &RequestId) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{{}}}}}}"#
    )
}

fn updated(id: &RequestId) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"u","_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_standing_stream_follows_the_clients_subscriptions() {
    let (link, server, _servers) = open().await;
    let mut standing = link.call(Call::listen(Context::default()));
    let (heard, mut messages) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(Ok(message)) = standing.next().await {
            heard.send(text(&message)).await.unwrap();
        }
    });
    let (first, params) = acknowledge(&server).await;
    assert!(!params.contains("resourceSubscriptions"), "{params}");
    let subscribe = r#"{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"u"}}"#;
    let mut subscribing = call(&link, subscribe);
    let subscribed = tokio::spawn(async move { text(&next(&mut subscribing).await) });
    let (second, params) = acknowledge(&server).await;
    assert_eq!(subscribed.await.unwrap(), r#"{"jsonrpc":"2.0","id":"s","result":{}}"#);
    assert!(params.contains(r#""resourceSubscriptions":["u"]"#), "{params}");
    // The first subscription is dropped once the second is acknowledged.
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(first));
    server.send(&updated(&second));
    assert_eq!(
        messages.recv().await.unwrap(),
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#
    );
    // The subscription is opened again when it ends.
    server.answer(&second, r#"{"resultType":"complete"}"#);
    acknowledge(&server).await;
    for told in [LISTS_CHANGED, UPDATED] {
        assert_eq!(messages.recv().await.unwrap(), told);
    }
    // The stream ends with the session.
    drop(link);
    assert!(messages.recv().await.is_none());
}

/// Listens, as a client with an open stream does.
fn standing(link: &Link) -> (Receiver<String>, tokio::task::JoinHandle<()>) {
    let mut stream = link.call(Call::listen(Context::default()));
    let (heard, messages) = tokio::sync::mpsc::channel(8);
    let reading = tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            heard.send(text(&message)).await.unwrap();
        }
    });
    (messages, reading)
}

const SUBSCRIBE: &str = r#"{"jsonrpc":"2.0","id":"s","method":"resources/subscribe","params":{"uri":"u"}}"#;
const SUBSCRIBED: &str = r#"{"jsonrpc":"2.0","id":"s","result":{}}"#;
const LISTS_CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
const UPDATED: &str = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#;

#[tokio::test(start_paused = true)]
async fn a_subscription_is_answered_when_the_server_knows_of_it() {
    let (link, server, _servers) = open().await;
    let (_messages, _reading) = standing(&link);
    acknowledge(&server).await;
    let mut reply = call(&link, SUBSCRIBE);
    let answered = tokio::spawn(async move { text(&next(&mut reply).await) });
    let id = server.expect("subscriptions/listen").await;
    assert!(!answered.is_finished());
    server.send(&acknowledgement(&id));
    let before = tokio::time::Instant::now();
    assert_eq!(answered.await.unwrap(), SUBSCRIBED);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_acknowledge_holds_no_answer_up_for_long() {
    let (link, server, _servers) = open().await;
    let (_messages, _reading) = standing(&link);
    acknowledge(&server).await;
    let before = tokio::time::Instant::now();
    assert_eq!(text(&next(&mut call(&link, SUBSCRIBE)).await), SUBSCRIBED);
    assert_eq!(before.elapsed(), crate::limits::SUBSCRIBE_WAIT);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_listen_subscribes_at_once_and_is_heard_later() {
    let (link, server, _servers) = open().await;
    let before = tokio::time::Instant::now();
    assert_eq!(text(&next(&mut call(&link, SUBSCRIBE)).await), SUBSCRIBED);
    assert_eq!(before.elapsed(), Duration::ZERO);
    let (mut messages, _reading) = standing(&link);
    let (id, params) = acknowledge(&server).await;
    assert!(params.contains(r#""resourceSubscriptions":["u"]"#), "{params}");
    server.send(&updated(&id));
    assert_eq!(messages.recv().await.unwrap(), UPDATED);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_server_refuses_is_asked_for_again_while_the_old_subscription_goes_on() {
    let (link, server, _servers) = open().await;
    let (mut messages, _reading) = standing(&link);
    let (first, _) = acknowledge(&server).await;
    let mut reply = call(&link, SUBSCRIBE);
    let answered = tokio::spawn(async move { text(&next(&mut reply).await) });
    let refused = server.expect("subscriptions/listen").await;
    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{refused},"error":{{"code":-32603,"message":"busy"}}}}"#));
    assert_eq!(answered.await.unwrap(), SUBSCRIBED);
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{first}}}}}}}"#
    ));
    assert_eq!(
        messages.recv().await.unwrap(),
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}"#
    );
    let (_, params) = acknowledge(&server).await;
    assert!(params.contains(r#""resourceSubscriptions":["u"]"#), "{params}");
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(first));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_subscriptions_is_asked_ever_more_rarely() {
    let (link, server, _servers) = open().await;
    let (_messages, _reading) = standing(&link);
    let mut last = tokio::time::Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let id = server.expect("subscriptions/listen").await;
        pauses.push(last.elapsed());
        last = tokio::time::Instant::now();
        server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#));
    }
    assert!(pauses[1..7].windows(2).all(|two| two[0] < two[1]), "{pauses:?}");
    let most = crate::limits::RELISTEN_MOST;
    assert!(pauses[8..].iter().all(|pause| *pause <= most && *pause >= most / 2), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_changed_while_nobody_listened_is_told() {
    let (link, server, _servers) = open().await;
    let (mut messages, _reading) = standing(&link);
    // A server that refuses at first may have changed before it accepts.
    let refused = server.expect("subscriptions/listen").await;
    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{refused},"error":{{"code":-32603,"message":"busy"}}}}"#));
    let (first, _) = acknowledge(&server).await;
    assert_eq!(messages.recv().await.unwrap(), LISTS_CHANGED);
    // Another filter leaves no gap.
    assert_eq!(text(&next(&mut call(&link, SUBSCRIBE)).await), SUBSCRIBED);
    let (second, _) = acknowledge(&server).await;
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(first));
    server.answer(&second, r#"{"resultType":"complete"}"#);
    let (third, _) = acknowledge(&server).await;
    server.send(&updated(&third));
    for told in [LISTS_CHANGED, UPDATED, UPDATED] {
        assert_eq!(messages.recv().await.unwrap(), told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_out_on_the_newest_stream_alone() {
    let (link, server, _servers) = open().await;
    let (mut older, _reading) = standing(&link);
    let (id, _) = acknowledge(&server).await;
    let (mut newer, reading) = standing(&link);
    // The stream exists once it was polled: on one thread, when this test runs again.
    tokio::task::yield_now().await;
    for _ in 0..3 {
        server.send(&updated(&id));
        assert_eq!(newer.recv().await.unwrap(), UPDATED);
    }
    assert!(older.try_recv().is_err());
    // The older stream continues when the newer one breaks, with the same subscription.
    reading.abort();
    assert!(newer.recv().await.is_none());
    server.send(&updated(&id));
    assert_eq!(older.recv().await.unwrap(), UPDATED);
}

#[tokio::test(start_paused = true)]
async fn the_subscription_ends_with_the_last_stream() {
    let (link, server, _servers) = open().await;
    let (_messages, reading) = standing(&link);
    let (id, _) = acknowledge(&server).await;
    reading.abort();
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    assert_eq!(text(&next(&mut call(&link, SUBSCRIBE)).await), SUBSCRIBED);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_tells_of_nothing_is_not_listened_to() {
    let (link, server, _servers) = open_with(r#"{"capabilities":{"tools":{}}}"#).await;
    let (mut messages, _reading) = standing(&link);
    let asked = tokio::time::timeout(Duration::from_secs(3600), server.receive()).await;
    assert!(asked.is_err(), "{asked:?}");
    let _reply = call(&link, TOOL);
    server.expect("tools/call").await;
    assert!(messages.try_recv().is_err());
    drop(link);
    assert!(messages.recv().await.is_none(), "the stream ends with the session");
}

#[tokio::test(start_paused = true)]
async fn who_listens_before_the_session_is_open_hears_it_then() {
    let (upstream, mut servers) = Scripted::new();
    let link = FromLegacy::new(upstream).connect(Scope::Session);
    let (mut messages, _reading) = standing(&link);
    let mut reply = call(&link, INITIALIZE);
    let opening = tokio::spawn(async move { next(&mut reply).await });
    let (_, server) = servers.recv().await.unwrap();
    let id = server.expect("server/discover").await;
    server.answer(&id, DISCOVERED);
    opening.await.unwrap();
    let (id, _) = acknowledge(&server).await;
    server.send(&updated(&id));
    assert_eq!(messages.recv().await.unwrap(), UPDATED);
}

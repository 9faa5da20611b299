use bytes::Bytes;
use crossway_proto::{Kind, Limits, Message, RequestId};
use crossway_service::{Call, Context, Reply};
use crossway_testkit::{Scripted, Server};
use tokio::sync::mpsc::Receiver;

use super::*;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}"#;
const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"ttlMs":0,"cacheScope":"private"}"#;
const TOOL: &str =
    r#"{"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":"n","_meta":{"progressToken":"p"}}}"#;

fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

fn call(link: &Link, text: &str) -> Reply {
    link.call(Call::message(message(text), Context::default()))
}

async fn next(reply: &mut Reply) -> Message {
    reply.next().await.unwrap().unwrap()
}

fn text(message: &Message) -> String {
    String::from_utf8(message.to_bytes().to_vec()).unwrap()
}

/// A legacy client whose session is open, and its modern server.
async fn open() -> (Link, Server, Receiver<(Scope, Server)>) {
    let (upstream, mut servers) = Scripted::new();
    let link = Front::new(upstream).connect(Scope::Session);
    let mut reply = call(&link, INITIALIZE);
    let opening = tokio::spawn(async move { next(&mut reply).await });
    let (scope, server) = servers.recv().await.unwrap();
    assert_eq!(scope, Scope::Shared);
    let id = server.expect("server/discover").await;
    server.answer(&id, DISCOVERED);
    assert_eq!(opening.await.unwrap().initialize_version().as_deref(), Some("2025-11-25"));
    assert!(call(&link, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).next().await.is_none());
    (link, server, servers)
}

#[tokio::test]
async fn a_call_passes_with_its_progress_and_comes_back_as_a_legacy_one() {
    let (link, server, _servers) = open().await;
    let mut reply = call(&link, TOOL);
    let request = server.receive().await.unwrap();
    assert_eq!(request.meta_version().as_deref(), Some("2026-07-28"));
    let token = request.progress_token().unwrap();
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
    ));
    server.answer(&request.id().unwrap(), r#"{"resultType":"complete","content":[]}"#);
    assert_eq!(
        text(&next(&mut reply).await),
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}"#
    );
    assert_eq!(text(&next(&mut reply).await), r#"{"jsonrpc":"2.0","id":"t","result":{"content":[]}}"#);
    assert!(reply.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_needs_its_user_asks_and_is_told() {
    let (link, server, _servers) = open().await;
    let mut reply = call(&link, TOOL);
    let id = server.expect("tools/call").await;
    server.answer(
        &id,
        r#"{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"?"}}},"requestState":"s"}"#,
    );
    let question = next(&mut reply).await;
    assert!(question.is_request() && question.is_method("elicitation/create"));
    let answer =
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"decline"}}}}"#, question.id().unwrap());
    // Another client's answer, or one to no question, changes nothing.
    assert!(call(&link, r#"{"jsonrpc":"2.0","id":"no","result":{}}"#).next().await.is_none());
    assert!(call(&link, &answer).next().await.is_none());
    let asked = tokio::spawn(async move { next(&mut reply).await });
    let again = server.receive().await.unwrap();
    let params = String::from_utf8(again.params().unwrap().to_vec()).unwrap();
    assert!(params.contains(r#""inputResponses":{"k":{"action":"decline"}},"requestState":"s""#), "{params}");
    server.answer(&again.id().unwrap(), r#"{"resultType":"complete","content":[]}"#);
    assert_eq!(text(&asked.await.unwrap()), r#"{"jsonrpc":"2.0","id":"t","result":{"content":[]}}"#);
}

#[tokio::test]
async fn a_cancelled_call_ends_and_the_server_is_told() {
    let (link, server, _servers) = open().await;
    let mut reply = call(&link, TOOL);
    let id = server.expect("tools/call").await;
    let ended = tokio::spawn(async move { reply.next().await.is_none() });
    tokio::task::yield_now().await;
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"t"}}"#;
    assert!(call(&link, cancelled).next().await.is_none());
    assert!(ended.await.unwrap());
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
}

#[tokio::test]
async fn a_call_that_waits_for_its_user_can_be_cancelled() {
    let (link, server, _servers) = open().await;
    let mut reply = call(&link, TOOL);
    let id = server.expect("tools/call").await;
    server.answer(
        &id,
        r#"{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{}}}}"#,
    );
    let question = next(&mut reply).await;
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"t"}}"#;
    assert!(call(&link, cancelled).next().await.is_none());
    assert!(reply.next().await.is_none());
    let late = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, question.id().unwrap());
    assert!(call(&link, &late).next().await.is_none());
    call(&link, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).next().await.unwrap().unwrap();
}

async fn acknowledge(server: &Server) -> (RequestId, String) {
    let request = server.receive().await.unwrap();
    assert!(request.is_method("subscriptions/listen"), "{request:?}");
    let id = request.id().unwrap();
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{{}}}}}}"#
    ));
    (id, String::from_utf8(request.params().unwrap().to_vec()).unwrap())
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
    assert_eq!(text(&next(&mut call(&link, subscribe)).await), r#"{"jsonrpc":"2.0","id":"s","result":{}}"#);
    let (second, params) = acknowledge(&server).await;
    assert!(params.contains(r#""resourceSubscriptions":["u"]"#), "{params}");
    // The first goes once the second is there.
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(first));
    server.send(&updated(&second));
    assert_eq!(
        messages.recv().await.unwrap(),
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#
    );
    // It is opened anew when it ends.
    server.answer(&second, r#"{"resultType":"complete"}"#);
    acknowledge(&server).await;
    // The session's end is the stream's.
    drop(link);
    assert!(messages.recv().await.is_none());
}

#[tokio::test]
async fn what_is_modern_passes_untouched_on_the_same_connection() {
    let (link, server, _servers) = open().await;
    let modern = r#"{"jsonrpc":"2.0","id":"m","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let mut reply = call(&link, modern);
    let id = server.expect("tools/list").await;
    server.answer(&id, r#"{"resultType":"complete","tools":[]}"#);
    let answer = next(&mut reply).await;
    assert_eq!(answer.kind(), Kind::Result);
    assert!(text(&answer).contains("resultType"));
}

#[tokio::test]
async fn a_closed_session_takes_no_more_calls() {
    let (link, server, _servers) = open().await;
    let mut reply = call(&link, TOOL);
    server.expect("tools/call").await;
    link.close().await;
    assert!(reply.next().await.is_none());
    assert!(call(&link, TOOL).next().await.unwrap().is_err());
}

//! A server of both eras, and the calls during which it may ask a client of a session.

use crossway_service::Origin;
use crossway_testkit::{message, text};

use super::*;
use crate::limits::OPEN_TIME;
use crate::{ClientSession, FromLegacy, SharedBy, ToLegacy, ToLegacyOptions};

const OPENED: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#;
const NO_SESSIONS: &str = r#"{"code":-32601,"message":"no"}"#;

/// A request that a legacy client's was translated to.
fn translated(link: &Link, method: &str, capabilities: &str, rest: &str) -> Reply {
    let mut context = Context::default();
    context.extensions.insert(ClientSession(Origin::unique()));
    link.call(Call::message(modern(method, capabilities, rest), context))
}

fn modern(method: &str, capabilities: &str, rest: &str) -> Message {
    message(format!(
        r#"{{"jsonrpc":"2.0","id":3,"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}}}{rest}}}}}"#
    ))
}

/// Reads a reply in the background.
fn read(mut reply: Reply) -> tokio::task::JoinHandle<Result<Message, CallError>> {
    tokio::spawn(async move { reply.next().await.unwrap() })
}

fn refuse(server: &Server, id: &crossway_proto::RequestId) {
    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{NO_SESSIONS}}}"#));
}

#[tokio::test]
async fn a_call_whose_legacy_client_can_be_asked_goes_to_a_session_if_the_server_takes_sessions() {
    for speaks in [EraSupport::Modern, EraSupport::Both] {
        let mut rig = rig(speaks);
        let link = rig.any.modern().connect(Scope::Shared);
        let first = read(translated(&link, "tools/call", r#"{"elicitation":{}}"#, ""));
        let (scope, asked) = serve(&mut rig.raw, "initialize").await;
        assert_eq!(scope, Scope::Session);
        let (_, pool) = serve(&mut rig.to_legacy, "tools/call").await;
        assert!(first.await.unwrap().is_ok());
        assert!(asked.receive().await.is_none(), "that session has shown what it was for");
        let mut later = Vec::new();
        for (method, capabilities) in
            [("prompts/get", r#"{"sampling":{}}"#), ("resources/read", r#"{"roots":{}}"#)]
        {
            later.push(translated(&link, method, capabilities, ""));
            pool.expect(method).await;
        }
        // No server asks a client in the course of these, or this client has no session or can't be asked.
        let _listed = translated(&link, "tools/list", r#"{"roots":{}}"#, "");
        let (scope, raw) = serve(&mut rig.raw, "tools/list").await;
        assert_eq!(scope, Scope::Shared);
        let _called = translated(&link, "tools/call", "{}", "");
        raw.expect("tools/call").await;
        let _called =
            link.call(Call::message(modern("tools/call", r#"{"roots":{}}"#, ""), Context::default()));
        raw.expect("tools/call").await;
        assert!(rig.raw.try_recv().is_err() && rig.to_legacy.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_server_that_refuses_a_session_is_asked_once_and_gets_the_calls_as_they_are() {
    let mut rig = rig(EraSupport::Modern);
    let link = rig.any.modern().connect(Scope::Shared);
    let call = || read(translated(&link, "tools/call", r#"{"roots":{}}"#, ""));
    let both = [call(), call()];
    let (_, asked) = rig.raw.recv().await.unwrap();
    let id = asked.expect("initialize").await;
    refuse(&asked, &id);
    let (_, raw) = serve(&mut rig.raw, "tools/call").await;
    let id = raw.expect("tools/call").await;
    raw.answer(&id, "{}");
    for call in both {
        assert!(call.await.unwrap().is_ok());
    }
    let _later = call();
    raw.expect("tools/call").await;
    assert!(rig.raw.try_recv().is_err() && rig.to_legacy.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_for_a_session_is_asked_again_later_and_calls_do_not_wait_one_by_one() {
    let mut rig = rig(EraSupport::Modern);
    let link = rig.any.modern().connect(Scope::Shared);
    let call = || read(translated(&link, "tools/call", r#"{"roots":{}}"#, ""));
    let both = [call(), call()];
    let (_, asked) = rig.raw.recv().await.unwrap();
    asked.expect("initialize").await;
    // Its connection breaks.
    drop(asked);
    let (_, raw) = serve(&mut rig.raw, "tools/call").await;
    let id = raw.expect("tools/call").await;
    raw.answer(&id, "{}");
    for call in both {
        assert!(call.await.unwrap().is_ok());
    }
    tokio::time::advance(OPEN_TIME).await;
    let later = call();
    serve(&mut rig.raw, "initialize").await;
    serve(&mut rig.to_legacy, "tools/call").await;
    assert!(later.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_question_that_came_before_sessions_were_tried_is_answered_where_it_came_from() {
    let mut rig = rig(EraSupport::Modern);
    let link = rig.any.modern().connect(Scope::Shared);
    let _again = translated(&link, "tools/call", r#"{"roots":{}}"#, r#","requestState":"s""#);
    serve(&mut rig.raw, "tools/call").await;
}

#[tokio::test]
async fn a_server_that_no_longer_takes_sessions_gets_later_calls_as_they_are() {
    let ((raw, mut raws), (from_legacy, _fronts)) = (Scripted::new(), Scripted::new());
    let to_legacy = Failing(CallError::not_sent(Reason::Unavailable("x".into())));
    let any = AnyEra::new(Arc::new(raw), EraSupport::Modern, Arc::new(from_legacy), Arc::new(to_legacy));
    let link = any.modern().connect(Scope::Shared);
    let failed = read(translated(&link, "tools/call", r#"{"roots":{}}"#, ""));
    serve(&mut raws, "initialize").await;
    assert!(failed.await.unwrap().is_err());
    let (_, asked) = raws.recv().await.unwrap();
    let id = asked.expect("initialize").await;
    refuse(&asked, &id);
    assert!(asked.receive().await.is_none());
    let _later = translated(&link, "tools/call", r#"{"roots":{}}"#, "");
    serve(&mut raws, "tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_not_asked_anew_by_each_call_that_fails() {
    let ((raw, mut raws), (from_legacy, _fronts)) = (Scripted::new(), Scripted::new());
    let to_legacy = Failing(CallError::not_sent(Reason::Unavailable("x".into())));
    let any = AnyEra::new(Arc::new(raw), EraSupport::Modern, Arc::new(from_legacy), Arc::new(to_legacy));
    let link = any.modern().connect(Scope::Shared);
    let fail = || read(translated(&link, "tools/call", r#"{"roots":{}}"#, ""));
    let failed = fail();
    serve(&mut raws, "initialize").await;
    assert!(failed.await.unwrap().is_err());
    let (_, asked) = raws.recv().await.unwrap();
    asked.expect("initialize").await;
    drop(asked);
    crossway_testkit::settle().await;
    assert!(fail().await.unwrap().is_err());
    crossway_testkit::settle().await;
    assert!(raws.try_recv().is_err(), "it was asked a moment ago");
    tokio::time::advance(OPEN_TIME).await;
    assert!(fail().await.unwrap().is_err());
    serve(&mut raws, "initialize").await;
}

#[tokio::test]
async fn what_a_server_of_both_eras_asks_in_a_session_comes_back_there_and_so_does_a_cancellation() {
    let (raw, mut raws) = Scripted::new();
    let raw = Arc::new(raw);
    let to_legacy = ToLegacy::new(
        "s",
        Arc::clone(&raw) as Arc<dyn Upstream>,
        ToLegacyOptions::shared_by(SharedBy::Everyone),
    );
    let any = AnyEra::new(raw, EraSupport::Modern, Arc::new(Scripted::new().0), Arc::new(to_legacy));
    let client = FromLegacy::new(any.modern()).connect(Scope::Session);
    let say = |text: &str| client.call(Call::message(message(text), Context::default()));

    let opened = read(say(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}"#,
    ));
    let (_, shared) = raws.recv().await.unwrap();
    let id = shared.expect("server/discover").await;
    shared.answer(&id, r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}"#);
    assert!(opened.await.unwrap().unwrap().error().is_none());
    say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).drain().await;

    let mut reply = say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"n"}}"#);
    let (told, mut heard) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(item) = reply.next().await {
            told.send(text(&item.unwrap())).await.unwrap();
        }
    });
    serve(&mut raws, "initialize").await;
    let (_, session) = raws.recv().await.unwrap();
    let id = session.expect("initialize").await;
    session.answer(&id, OPENED);
    assert!(session.receive().await.unwrap().is_method("notifications/initialized"));
    let id = session.expect("tools/call").await;
    session.send(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}"#);
    let question = message(heard.recv().await.unwrap());
    assert!(question.is_method("elicitation/create"));
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept","content":{{}}}}}}"#,
        question.id().unwrap()
    );
    say(&answer).drain().await;
    assert_eq!(
        text(&session.receive().await.unwrap()),
        r#"{"jsonrpc":"2.0","id":"q","result":{"action":"accept","content":{}}}"#
    );
    session.answer(&id, r#"{"content":[]}"#);
    let result = message(heard.recv().await.unwrap());
    assert_eq!((result.id().unwrap().to_string(), result.kind()), ("2".to_owned(), Kind::Result));

    let cancelled = say(r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"n"}}"#);
    let ended = tokio::spawn(async move { cancelled.collect::<Vec<_>>().await.len() });
    let id = session.expect("tools/call").await;
    say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#).drain().await;
    assert_eq!(ended.await.unwrap(), 0);
    assert_eq!(session.receive().await.unwrap().cancelled_id(), Some(id));
}

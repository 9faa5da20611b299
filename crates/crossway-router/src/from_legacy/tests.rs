use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{Call, Context, Outcome, Reason, Reply};
use crossway_testkit::{Scripted, Server, message, text};
use tokio::sync::mpsc::Receiver;

use super::*;

mod interleaving;
mod standing;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{},"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}"#;
const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"ttlMs":0,"cacheScope":"private"}"#;
const TOOL: &str =
    r#"{"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":"n","_meta":{"progressToken":"p"}}}"#;

fn call(link: &Link, text: &str) -> Reply {
    link.call(Call::message(message(text), Context::default()))
}

async fn next(reply: &mut Reply) -> Message {
    reply.next().await.unwrap().unwrap()
}

/// A legacy client with an open session, and its modern server.
async fn open() -> (Link, Server, Receiver<(Scope, Server)>) {
    open_with(DISCOVERED).await
}

/// The same, with a server whose `server/discover` result is `discovered`.
async fn open_with(discovered: &str) -> (Link, Server, Receiver<(Scope, Server)>) {
    let (upstream, mut servers) = Scripted::new();
    let link = FromLegacy::new(upstream).connect(Scope::Session);
    let mut reply = call(&link, INITIALIZE);
    let opening = tokio::spawn(async move { next(&mut reply).await });
    let (scope, server) = servers.recv().await.unwrap();
    assert_eq!(scope, Scope::Shared);
    let id = server.expect("server/discover").await;
    server.answer(&id, discovered);
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
    // Another client's answer, or one without a question, changes nothing.
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
    // The client no longer has to ask its user.
    let withdrawn = next(&mut reply).await;
    assert!(withdrawn.is_method("notifications/cancelled"));
    assert_eq!(withdrawn.cancelled_id(), question.id());
    assert!(reply.next().await.is_none());
    let late = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, question.id().unwrap());
    assert!(call(&link, &late).next().await.is_none());
    call(&link, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).next().await.unwrap().unwrap();
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
async fn a_closed_session_fails_its_calls_and_takes_no_more() {
    let (link, server, _servers) = open().await;
    let mut reply = call(&link, TOOL);
    server.expect("tools/call").await;
    link.close().await;
    let error = reply.next().await.unwrap().unwrap_err();
    assert_eq!((error.reason(), error.outcome()), (&Reason::Closing, Outcome::Unknown));
    assert!(reply.next().await.is_none());
    assert!(server.receive().await.unwrap().is_method("notifications/cancelled"));
    assert!(call(&link, TOOL).next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_call_that_fails_in_a_round_takes_its_other_questions_back() {
    let (link, server, _servers) = open().await;
    let mut reply = call(&link, TOOL);
    let id = server.expect("tools/call").await;
    server.answer(
        &id,
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{}},"c":{"method":"elicitation/create","params":{}}}}"#,
    );
    let questions = [next(&mut reply).await, next(&mut reply).await];
    let failed = format!(
        r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-1,"message":"no"}}}}"#,
        questions[0].id().unwrap()
    );
    assert!(call(&link, &failed).next().await.is_none());
    // The third was never asked.
    let withdrawn = next(&mut reply).await;
    assert_eq!(withdrawn.cancelled_id(), questions[1].id());
    let answer = next(&mut reply).await;
    assert!(answer.kind() == Kind::Error && answer.id() == Some(RequestId::from("t")), "{}", text(&answer));
    assert!(reply.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_is_not_there_leaves_the_session_to_another_attempt() {
    let (upstream, mut servers) = Scripted::new();
    let link = FromLegacy::new(upstream).connect(Scope::Session);
    let mut reply = call(&link, INITIALIZE);
    drop(servers.recv().await.unwrap());
    assert!(reply.next().await.unwrap().is_err());
    let early = next(&mut call(&link, TOOL)).await;
    assert!(text(&early).contains("-32600"), "{}", text(&early));
    assert!(call(&link, INITIALIZE).next().await.unwrap().is_err());
}

/// An upstream that records the calls, and answers each request with a bare result.
#[derive(Clone, Default)]
struct Noting(Arc<std::sync::Mutex<Vec<Call>>>);

#[derive(Clone)]
struct Kept(u8);

impl Upstream for Noting {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl crossway_service::Connection for Noting {
    fn call(&self, call: Call) -> Reply {
        self.0.lock().unwrap().push(call.clone());
        match &call.ask {
            crossway_service::Ask::Message(message) if message.is_request() => {
                let result = Message::result_of(&message.id().unwrap(), DISCOVERED.as_bytes());
                Reply::once(result.unwrap())
            }
            _ => Reply::accepted(),
        }
    }
}

#[tokio::test]
async fn all_calls_of_a_session_say_whose_they_are_and_keep_what_the_client_came_with() {
    let noting = Noting::default();
    let front = FromLegacy::new(noting.clone());
    for kept in [1, 2] {
        let link = front.connect(Scope::Session);
        for text in [INITIALIZE, TOOL, r#"{"jsonrpc":"2.0","method":"notifications/own"}"#] {
            let mut context = Context::default();
            context.extensions.insert(Kept(kept));
            let _ = link.call(Call::message(message(text), context)).next().await;
        }
    }
    let calls = noting.0.lock().unwrap();
    let session = |call: &Call| *call.context.extensions.get::<crate::ClientSession>().unwrap();
    assert_eq!(calls.len(), 6);
    for (index, call) in calls.iter().enumerate() {
        assert_eq!(call.context.revision, Some(crossway_proto::Revision::V2026_07_28));
        assert_eq!(call.context.origin, session(call).0);
        assert_eq!(usize::from(call.context.extensions.get::<Kept>().unwrap().0), index / 3 + 1);
        assert_eq!(session(call), session(&calls[index / 3 * 3]));
    }
    assert_ne!(session(&calls[0]), session(&calls[3]));
}

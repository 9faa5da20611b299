use crossway_proto::Kind;
use crossway_service::Outcome;
use crossway_testkit::{Scripted, Server, message, settle, text};
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::{ClientSession, ScopeKey};

mod exchanges;
mod listening;
mod opening;
mod programs;
mod restarted;
mod roots;
mod shared;
mod sharing;
mod silent;
mod standing;
mod turns;
mod url_elicitation;

const OPENED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}"#;

/// The result of opening a session with a server that does not log.
const PLAIN: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#;

/// A modern request; `rest` stands behind its metadata, `meta` in it.
fn modern(id: &str, method: &str, capabilities: &str, meta: &str, rest: &str) -> Message {
    message(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}{meta}}}{rest}}}}}"#
    ))
}

fn tool(id: &str, capabilities: &str) -> Message {
    modern(id, "tools/call", capabilities, "", r#","name":"n""#)
}

struct Rig {
    back: ToLegacy,
    link: Link,
    servers: Receiver<(Scope, Server)>,
}

fn rig(options: ToLegacyOptions) -> Rig {
    let (upstream, servers) = Scripted::new();
    let back = ToLegacy::new("b", upstream, options);
    Rig { link: back.connect(Scope::Shared), back, servers }
}

impl Rig {
    fn call(&self, message: Message) -> Asked {
        self.call_for(message, Context::default())
    }

    fn call_for(&self, message: Message, context: Context) -> Asked {
        Asked::of(self.link.call(Call::message(message, context)))
    }

    /// The next session, opened.
    async fn server(&mut self) -> Server {
        self.server_with("{}").await
    }

    async fn server_with(&mut self, capabilities: &str) -> Server {
        let (scope, server) = self.servers.recv().await.unwrap();
        assert!(scope.is_session());
        let opening = server.receive().await.unwrap();
        assert!(opening.is_method("initialize"));
        assert_eq!(opening.member(Part::Params, "capabilities").unwrap(), capabilities.as_bytes());
        server.answer(&opening.id().unwrap(), OPENED);
        assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
        server
    }
}

/// Answers the ping by which it is found out that a cancellation was read.
async fn pong(server: &Server) {
    let id = server.expect("ping").await;
    server.answer(&id, "{}");
    settle().await;
}

/// A reply that is read in the background, as transports do.
struct Asked {
    messages: tokio::sync::mpsc::Receiver<Result<Message, CallError>>,
    reading: tokio::task::JoinHandle<()>,
}

impl Asked {
    fn of(mut reply: Reply) -> Self {
        let (told, messages) = tokio::sync::mpsc::channel(64);
        let reading = tokio::spawn(async move {
            while let Some(item) = reply.next().await {
                told.send(item).await.unwrap();
            }
        });
        Self { messages, reading }
    }

    async fn next(&mut self) -> Message {
        self.messages.recv().await.unwrap().unwrap()
    }

    async fn end(&mut self) {
        assert!(self.messages.recv().await.is_none());
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

#[tokio::test]
async fn calls_share_one_session_and_one_handshake() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", "{}"));
    let mut second = rig.call(tool(r#""1""#, "{}"));
    let server = rig.server().await;
    for _ in 0..2 {
        let request = server.receive().await.unwrap();
        assert!(request.meta_version().is_none());
        server.answer(&request.id().unwrap(), r#"{"content":[]}"#);
    }
    let wanted = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"s","version":"1"}}}},"resultType":"complete","content":[]}}}}"#
        )
    };
    assert_eq!(text(&first.next().await), wanted("1"));
    assert_eq!(text(&second.next().await), wanted(r#""1""#));
    first.end().await;
    assert_eq!(rig.back.sessions(), 1);
}

#[tokio::test]
async fn a_dropped_reply_and_a_cancelled_call_are_told_to_the_server() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let dropped = rig.call(tool("1", "{}"));
    let server = rig.server().await;
    let id = server.expect("tools/call").await;
    drop(dropped);
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    pong(&server).await;
    let mut cancelled = rig.call(tool("2", "{}"));
    let id = server.expect("tools/call").await;
    let notification =
        message(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2.0}}"#);
    rig.call(notification).end().await;
    cancelled.end().await;
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
}

const ELICITS: &str = r#"{"elicitation":{}}"#;

async fn ask(server: &Server) -> RequestId {
    let id = server.expect("tools/call").await;
    server.send(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?"}}"#);
    id
}

/// The state that a client has to bring back.
fn state_of(asked: &Message) -> String {
    assert_eq!(
        asked.member(Part::Result, "resultType"),
        Some(&br#""input_required""#[..]),
        "{}",
        text(asked)
    );
    String::from_utf8(asked.member(Part::Result, "requestState").unwrap().to_vec()).unwrap()
}

fn again(id: &str, state: &str, name: &str) -> Message {
    let rest = format!(
        r#","name":"{name}","inputResponses":{{"ask-1":{{"action":"accept"}}}},"requestState":{state}"#
    );
    modern(id, "tools/call", ELICITS, "", &rest)
}

#[tokio::test(start_paused = true)]
async fn a_question_parks_the_call_and_the_second_request_goes_on_with_it() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", ELICITS));
    let server = rig.server_with(ELICITS).await;
    let id = ask(&server).await;
    let state = state_of(&first.next().await);
    first.end().await;
    // Other requests, and other calls, don't wake it.
    let mut wrong = rig.call(again("5", &state, "other"));
    assert!(text(&wrong.next().await).contains("-32602"));
    let mut second = rig.call(again("2", &state, "n"));
    assert_eq!(
        text(&server.receive().await.unwrap()),
        r#"{"jsonrpc":"2.0","id":"q","result":{"action":"accept"}}"#
    );
    server.answer(&id, r#"{"content":[]}"#);
    let answer = second.next().await;
    assert_eq!((answer.id(), answer.kind()), (Some(RequestId::from(2)), Kind::Result));
    // It is used up.
    let mut third = rig.call(again("3", &state, "n"));
    assert!(text(&third.next().await).contains("-32602"));
    assert_eq!(rig.back.sessions(), 1);
}

#[tokio::test(start_paused = true)]
async fn questions_that_come_together_are_asked_together() {
    let both = r#"{"elicitation":{},"roots":{}}"#;
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", both));
    let server = rig.server_with(both).await;
    ask(&server).await;
    server.send(r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
    let asked = text(&first.next().await);
    assert!(asked.contains(r#""ask-1":{"method":"elicitation/create""#), "{asked}");
    assert!(asked.contains(r#""ask-2":{"method":"roots/list"}"#), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_client_does_not_come_back_is_given_up() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", ELICITS));
    let server = rig.server_with(ELICITS).await;
    let id = ask(&server).await;
    let state = state_of(&first.next().await);
    let unanswered = server.receive().await.unwrap();
    assert_eq!((unanswered.kind(), unanswered.id()), (Kind::Error, Some(RequestId::from("q"))));
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    pong(&server).await;
    let mut late = rig.call(again("2", &state, "n"));
    assert!(text(&late.next().await).contains("-32602"));
    // Its session is free again.
    let _next = rig.call(tool("3", ELICITS));
    server.expect("tools/call").await;
}

#[tokio::test]
async fn only_so_many_calls_wait() {
    let mut rig = rig(ToLegacyOptions { parked_calls: 0, ..ToLegacyOptions::shared_by(SharedBy::Everyone) });
    let mut first = rig.call(tool("\"mine\"", ELICITS));
    let server = rig.server_with(ELICITS).await;
    ask(&server).await;
    let refused = first.next().await;
    assert!(text(&refused).contains("-31003"));
    assert_eq!(
        refused.id(),
        Some(RequestId::from("mine")),
        "the client's, not the one that the server knows"
    );
    assert_eq!(server.receive().await.unwrap().kind(), Kind::Error);
}

#[tokio::test]
async fn calls_that_may_ask_have_a_session_each_and_others_do_not_wait_for_them() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", ELICITS));
    let one = rig.server_with(ELICITS).await;
    ask(&one).await;
    first.next().await;
    let _second = rig.call(tool("2", ELICITS));
    let two = rig.server_with(ELICITS).await;
    two.expect("tools/call").await;
    // Lists need no session of their own.
    let _list = rig.call(modern("3", "tools/list", ELICITS, "", ""));
    one.expect("tools/list").await;
    // Clients that can't be asked are never on a session where the server would ask.
    let mut third = rig.call(tool("4", "{}"));
    let three = rig.server().await;
    ask(&three).await;
    assert!(text(&third.next().await).contains("-32021"));
    assert_eq!(three.receive().await.unwrap().kind(), Kind::Error);
    assert_eq!(rig.back.sessions(), 3);
}

#[tokio::test]
async fn keyed_sessions_are_shared_by_those_who_have_the_key() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ScopeKey));
    let keyed = |key: &str| {
        let mut context = Context::default();
        context.extensions.insert(ScopeKey::new(key));
        context
    };
    let _a1 = rig.call_for(tool("1", "{}"), keyed("a"));
    let a = rig.server().await;
    a.expect("tools/call").await;
    let _b1 = rig.call_for(tool("1", "{}"), keyed("b"));
    let b = rig.server().await;
    b.expect("tools/call").await;
    let _a2 = rig.call_for(tool("2", "{}"), keyed("a"));
    a.expect("tools/call").await;
    // Who has none shares with nobody.
    for _ in 0..2 {
        let _none = rig.call(tool("1", "{}"));
        rig.server().await.expect("tools/call").await;
    }
}

#[tokio::test]
async fn another_owner_does_not_wake_a_call() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ScopeKey));
    let keyed = |key: &str| {
        let mut context = Context::default();
        context.extensions.insert(ScopeKey::new(key));
        context
    };
    let mut first = rig.call_for(tool("1", ELICITS), keyed("a"));
    let server = rig.server_with(ELICITS).await;
    ask(&server).await;
    let state = state_of(&first.next().await);
    let mut foreign = rig.call_for(again("2", &state, "n"), keyed("b"));
    assert!(text(&foreign.next().await).contains("-32602"));
    let _own = rig.call_for(again("2", &state, "n"), keyed("a"));
    assert_eq!(server.receive().await.unwrap().kind(), Kind::Result);
}

#[tokio::test]
async fn a_state_of_another_upstream_is_not_valid() {
    let keyring = Arc::new(Keyring::random().unwrap());
    let (upstream, _servers) = Scripted::new();
    let other = ToLegacy::new(
        "other",
        upstream,
        ToLegacyOptions::shared_by(SharedBy::Everyone).keyring(Arc::clone(&keyring)),
    );
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone).keyring(keyring));
    let mut first = rig.call(tool("1", ELICITS));
    let server = rig.server_with(ELICITS).await;
    ask(&server).await;
    let state = state_of(&first.next().await);
    let link = other.connect(Scope::Shared);
    let mut foreign = Asked::of(link.call(Call::message(again("2", &state, "n"), Context::default())));
    assert!(text(&foreign.next().await).contains("-32602"));
}

#[tokio::test]
async fn a_client_session_has_a_session_of_its_own_even_where_the_server_may_ask() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ClientSession));
    let session = ClientSession(crossway_service::Origin::unique());
    let context = || {
        let mut context = Context::default();
        context.extensions.insert(session);
        context
    };
    let mut first = rig.call_for(tool("1", ELICITS), context());
    let server = rig.server_with(ELICITS).await;
    ask(&server).await;
    first.next().await;
    let _second = rig.call_for(tool("2", ELICITS), context());
    server.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 1);
}

#[tokio::test]
async fn requests_of_no_session_share_one_by_their_key_where_sessions_share_none() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ClientSession));
    let context = |key: &str| {
        let mut context = Context::default();
        context.extensions.insert(ScopeKey::new(key));
        context
    };
    let _first = rig.call_for(tool("1", "{}"), context("alice"));
    let of_alice = rig.server().await;
    of_alice.expect("tools/call").await;
    let _second = rig.call_for(tool("2", "{}"), context("alice"));
    of_alice.expect("tools/call").await;
    let _of_bob = rig.call_for(tool("3", "{}"), context("bob"));
    rig.server().await.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 2);
}

#[tokio::test]
async fn the_next_call_has_a_new_session_when_one_has_ended() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", "{}"));
    let server = rig.server().await;
    server.expect("tools/call").await;
    drop(server);
    let error = first.messages.recv().await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "it was sent, so it is not sent again");
    let _second = rig.call(tool("2", "{}"));
    rig.server().await.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 1);
}

#[tokio::test]
async fn log_messages_come_to_the_call_that_asked_for_them() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let level = r#","io.modelcontextprotocol/logLevel":"warning""#;
    let mut call = rig.call(modern("1", "tools/call", "{}", level, r#","name":"n""#));
    let server = rig.server().await;
    let set = server.receive().await.unwrap();
    assert_eq!(set.params(), Some(&br#"{"level":"warning"}"#[..]));
    server.answer(&set.id().unwrap(), "{}");
    let id = server.expect("tools/call").await;
    for level in ["info", "error"] {
        server.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":1}}}}"#
        ));
    }
    server.answer(&id, "{}");
    assert!(text(&call.next().await).contains(r#""level":"error""#));
    assert_eq!(call.next().await.kind(), Kind::Result);
    // The level is set once.
    let _next = rig.call(modern("2", "tools/call", "{}", level, r#","name":"n""#));
    server.expect("tools/call").await;
}

#[tokio::test]
async fn a_state_that_is_null_is_none() {
    let mut rig = rig(ToLegacyOptions::default());
    let rest = r#","name":"n","requestState":null,"inputResponses":null"#;
    let mut call = rig.call(modern("1", "tools/call", "{}", "", rest));
    let server = rig.server().await;
    let request = server.receive().await.unwrap();
    assert!(!text(&request).contains("null"), "{request:?}");
    server.answer(&request.id().unwrap(), "{}");
    assert_eq!(call.next().await.kind(), Kind::Result);
}

#[tokio::test]
async fn what_a_server_asks_before_any_call_waits_for_one() {
    let roots = r#"{"roots":{}}"#;
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut discovered = rig.call(modern("0", "server/discover", roots, "", ""));
    let server = rig.server_with(roots).await;
    discovered.next().await;
    server.send(r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
    server.send(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    assert_eq!(text(&server.receive().await.unwrap()), r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
    let mut call = rig.call(tool("1", roots));
    state_of(&call.next().await);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_nobody_uses_end_and_the_oldest_makes_room() {
    let mut rig = rig(ToLegacyOptions { sessions: 1, ..ToLegacyOptions::shared_by(SharedBy::ScopeKey) });
    let keyed = |key: &str| {
        let mut context = Context::default();
        context.extensions.insert(ScopeKey::new(key));
        context
    };
    let mut first = rig.call_for(tool("1", "{}"), keyed("a"));
    let a = rig.server().await;
    let id = a.expect("tools/call").await;
    let mut refused = rig.call_for(tool("1", "{}"), keyed("b"));
    let error = refused.messages.recv().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("all sessions"), "{error}");
    a.answer(&id, "{}");
    first.next().await;
    first.end().await;
    let mut second = rig.call_for(tool("1", "{}"), keyed("b"));
    let b = rig.server().await;
    let id = b.expect("tools/call").await;
    b.answer(&id, "{}");
    second.next().await;
    second.end().await;
    assert!(a.receive().await.is_none(), "it made room");
    assert!(b.receive().await.is_none(), "it was not used for long");
    assert_eq!(rig.back.sessions(), 0);
}

#[test]
fn unused_sessions_end_in_each_runtime_that_calls_after_another() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    for _ in 0..2 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut call = rig.call(tool("1", "{}"));
            let server = rig.server().await;
            let request = server.receive().await.unwrap();
            server.answer(&request.id().unwrap(), r#"{"content":[]}"#);
            call.next().await;
            tokio::time::sleep(crate::limits::POOL_IDLE + crate::limits::POOL_SWEEP * 2).await;
        });
        assert_eq!(rig.back.sessions(), 0);
    }
}

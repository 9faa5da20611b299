//! Programs of one user, which introduce themselves differently.

use super::*;
use crate::{Router, RouterOptions};

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
const LISTENS: &str = r#","notifications":{"toolsListChanged":true}"#;
const TO_U: &str = r#","notifications":{"resourceSubscriptions":["u"]}"#;
const NAMED: &str = r#","name":"n""#;

/// A request of a program of this name, which can be asked.
fn of(name: &str, method: &str, rest: &str) -> Message {
    introduced(&format!(r#"{{"name":"{name}","version":"1"}}"#), method, rest)
}

fn introduced(info: &str, method: &str, rest: &str) -> Message {
    modern("1", method, ELICITS, &format!(r#","io.modelcontextprotocol/clientInfo":{info}"#), rest)
}

fn keyed(key: &str) -> Context {
    let mut context = Context::default();
    context.extensions.insert(ScopeKey::new(key));
    context
}

/// A call that opens a session, and is answered.
async fn called(rig: &mut Rig, name: &str, key: &str) -> Server {
    let mut call = rig.call_for(of(name, "tools/call", NAMED), keyed(key));
    let server = rig.server_with(ELICITS).await;
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    call.next().await;
    call.end().await;
    server
}

#[tokio::test]
async fn programs_that_can_be_asked_share_no_session_and_hear_of_all_changes() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ClientSession));
    let mut listeners = Vec::new();
    for (name, key) in [("editor", "alice"), ("editor", "bob")] {
        let mut listening = rig.call_for(of(name, "subscriptions/listen", LISTENS), keyed(key));
        let server = rig.server_with(ELICITS).await;
        assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
        listeners.push((listening, server));
    }
    // It may have other roots than her editor.
    let _call = rig.call_for(of("chat", "tools/call", NAMED), keyed("alice"));
    let server = rig.server_with(ELICITS).await;
    server.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 3);
    server.send(CHANGED);
    assert!(listeners[0].0.next().await.is_method("notifications/tools/list_changed"));
    assert!(listeners[1].0.messages.try_recv().is_err(), "bob's lists are others");
}

#[tokio::test]
async fn who_can_be_asked_nothing_hears_of_what_the_same_users_calls_change_that_can() {
    for shared_by in [SharedBy::ClientSession, SharedBy::ScopeKey] {
        let mut rig = rig(ToLegacyOptions::shared_by(shared_by));
        let mut listeners = Vec::new();
        for key in ["alice", "bob"] {
            let mut listening =
                rig.call_for(modern("1", "subscriptions/listen", "{}", "", LISTENS), keyed(key));
            let server = rig.server().await;
            assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
            listeners.push((listening, server));
        }
        let _call = rig.call_for(of("chat", "tools/call", NAMED), keyed("alice"));
        let server = rig.server_with(ELICITS).await;
        server.expect("tools/call").await;
        server.send(CHANGED);
        assert!(listeners[0].0.next().await.is_method("notifications/tools/list_changed"));
        assert!(listeners[1].0.messages.try_recv().is_err(), "bob's lists are others");
    }
}

#[tokio::test]
async fn a_resource_is_subscribed_to_in_all_the_sessions_of_a_user_that_calls_have_and_in_no_other() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ClientSession));
    let _before = rig.call_for(tool("1", "{}"), keyed("alice"));
    let one = rig.server().await;
    one.expect("tools/call").await;
    let mut listening = rig.call_for(of("editor", "subscriptions/listen", TO_U), keyed("alice"));
    let own = rig.server_with(ELICITS).await;
    for server in [&own, &one] {
        let id = server.expect("resources/subscribe").await;
        server.answer(&id, "{}");
    }
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    let _after = rig.call_for(of("chat", "tools/call", NAMED), keyed("alice"));
    let two = rig.server_with(ELICITS).await;
    let id = two.expect("resources/subscribe").await;
    two.answer(&id, "{}");
    two.expect("tools/call").await;
    for server in [&one, &two] {
        server.send(r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#);
        assert!(listening.next().await.is_method("notifications/resources/updated"));
    }
    let _bobs = rig.call_for(of("editor", "tools/call", NAMED), keyed("bob"));
    rig.server_with(ELICITS).await.expect("tools/call").await;
}

#[tokio::test]
async fn lists_are_asked_for_in_the_session_of_the_program_that_wants_them_however_it_writes_its_name() {
    for info in [
        r#"{"name":"x","version":"1"}"#,
        r#"{"name": "x", "version": "1"}"#,
        r#"{"version":"1","name":"x"}"#,
        r#"{"name":"\u00e9","version":"1"}"#,
    ] {
        let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ClientSession));
        let router = Router::new(RouterOptions::default());
        router.insert("b", &rig.back);
        rig.link = router.connect(Scope::Shared);
        let mut listing = rig.call_for(introduced(info, "tools/list", ""), keyed("alice"));
        let server = rig.server_with(ELICITS).await;
        let id = server.expect("tools/list").await;
        server.answer(&id, r#"{"tools":[{"name":"n"}]}"#);
        assert!(text(&listing.next().await).contains("b__n"));
        let _call = rig.call_for(introduced(info, "tools/call", r#","name":"b__n""#), keyed("alice"));
        server.expect("tools/call").await;
        assert_eq!(rig.back.sessions(), 1, "{info}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_one_users_programs_only_so_many_keep_a_session_that_nobody_uses() {
    let options = ToLegacyOptions::shared_by(SharedBy::ClientSession);
    let most = options.at_once;
    let mut rig = rig(options);
    // Neither one at which somebody listens ends, nor one whose call waits, nor another user's.
    let mut listening = rig.call_for(of("listens", "subscriptions/listen", LISTENS), keyed("alice"));
    let listened_to = rig.server_with(ELICITS).await;
    listening.next().await;
    let mut waiting = rig.call_for(of("waits", "tools/call", NAMED), keyed("alice"));
    let asking = rig.server_with(ELICITS).await;
    ask(&asking).await;
    waiting.next().await;
    waiting.end().await;
    let _bobs = called(&mut rig, "bobs", "bob").await;
    let mut idle = std::collections::VecDeque::new();
    for number in 0..10 {
        tokio::time::advance(Duration::from_millis(1)).await;
        idle.push_back(called(&mut rig, &format!("p{number}"), "alice").await);
        if idle.len() > most {
            let longest = idle.pop_front().unwrap();
            assert!(longest.receive().await.is_none(), "it was not used for the longest");
        }
        assert_eq!(rig.back.sessions(), 3 + idle.len());
    }
    listened_to.send(CHANGED);
    assert!(listening.next().await.is_method("notifications/tools/list_changed"));
    assert_eq!(rig.back.0.parked(), 1);
    // One that is kept is used again.
    let _again = rig.call_for(of("p9", "tools/call", NAMED), keyed("alice"));
    idle[most - 1].expect("tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn where_everybody_shares_sessions_programs_keep_theirs_unless_all_are_one_users() {
    for (options, kept) in [
        (ToLegacyOptions::shared_by(SharedBy::Everyone), 10),
        (ToLegacyOptions::shared_by(SharedBy::Everyone).of_one_user(), limits::POOL_AT_ONCE),
    ] {
        let mut rig = rig(options);
        let mut servers = Vec::new();
        for number in 0..10 {
            servers.push(called(&mut rig, &format!("p{number}"), "alice").await);
        }
        assert_eq!(rig.back.sessions(), kept);
    }
}

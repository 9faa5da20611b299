//! Those who share a pool leave room for each other.

use super::*;

const ASKS: &str = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?"}}"#;

/// A pool of so many sessions; keys are `tenant user`.
fn shared(sessions: usize) -> Rig {
    let group_of = |context: &Context| {
        let key = context.extensions.get::<ScopeKey>()?;
        key.as_str().split_once(' ').map(|(group, _)| ScopeKey::new(group))
    };
    let user_of = |context: &Context| context.extensions.get::<ScopeKey>().cloned();
    rig(ToLegacyOptions { sessions, ..ToLegacyOptions::shared_by(SharedBy::Everyone) }
        .shared_among(group_of, user_of))
}

fn of(user: &str) -> Context {
    let mut context = Context::default();
    context.extensions.insert(ScopeKey::new(user));
    context
}

/// A call of a user's that waits for its client, and what the client is told.
async fn parked(rig: &mut Rig, user: &str) -> (Server, String) {
    let mut call = rig.call_for(tool("1", ELICITS), of(user));
    let server = rig.server_with(ELICITS).await;
    server.expect("tools/call").await;
    server.send(ASKS);
    (server, text(&call.next().await))
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_their_clients_leave_sessions_to_other_users_tenants_and_calls() {
    let mut rig = shared(12);
    let mut kept = Vec::new();
    let calls = [
        ("acme ann", true, 4),
        ("acme ann", false, 1),
        ("acme bea", true, 2),
        ("acme bea", false, 1),
        ("globex gus", true, 3),
        ("initech ida", false, 1),
    ];
    let calls = calls.into_iter();
    for (user, is_kept) in
        calls.flat_map(|(user, is_kept, times)| std::iter::repeat_n((user, is_kept), times))
    {
        let (server, told) = parked(&mut rig, user).await;
        assert_eq!(told.contains("inputRequests"), is_kept, "{user}: {told}");
        assert_eq!(told.contains("too many calls wait for their clients"), !is_kept, "{user}: {told}");
        assert_eq!(told.contains(r#""outcome":"sent, unknown""#), !is_kept, "{user}: {told}");
        // The session of one that is refused is not used again before the server has said that it heard so.
        kept.push(server);
    }
    assert_eq!(rig.back.0.parked(), 9);
}

#[tokio::test(start_paused = true)]
async fn sessions_for_calls_that_run_beside_each_other_are_shared_too() {
    let mut rig = shared(8);
    let mut running = Vec::new();
    // Clients that introduce themselves otherwise wait for no turn of each other's.
    let begin = |rig: &Rig, number: usize, user: &str| {
        let info = format!(r#","io.modelcontextprotocol/clientInfo":{{"name":"{number}","version":"1"}}"#);
        rig.call_for(modern("1", "tools/call", ELICITS, &info, r#","name":"n""#), of(user))
    };
    for (number, user) in
        ["acme ann", "acme ann", "acme ann", "acme ann", "acme bea", "acme bea"].iter().enumerate()
    {
        let call = begin(&rig, number, user);
        let server = rig.server_with(ELICITS).await;
        server.expect("tools/call").await;
        running.push((call, server));
    }
    for (number, user) in [(6, "acme ann"), (7, "acme bea")] {
        let refused = begin(&rig, number, user).messages.recv().await.unwrap().unwrap_err();
        assert!(refused.to_string().contains("as many sessions"), "{refused}");
    }
    let _other = begin(&rig, 8, "globex gus");
    rig.server_with(ELICITS).await.expect("tools/call").await;
}

fn listen(capabilities: &str) -> Message {
    let filter = r#","notifications":{"toolsListChanged":true}"#;
    modern("\"l\"", "subscriptions/listen", capabilities, "", filter)
}

#[tokio::test(start_paused = true)]
async fn a_session_at_which_some_only_listen_makes_room_for_a_call_and_for_no_listener() {
    let mut rig = rig(ToLegacyOptions { sessions: 1, ..ToLegacyOptions::shared_by(SharedBy::Everyone) });
    let mut listening = rig.call(listen(ELICITS));
    let _listened_to = rig.server_with(ELICITS).await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    let refused = rig.call(listen("{}")).messages.recv().await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("in use"), "{refused}");
    let mut call = rig.call(tool("1", "{}"));
    let server = tokio::time::timeout(Duration::from_secs(1), rig.server()).await.expect("a session");
    assert_eq!(listening.next().await.kind(), Kind::Result);
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    assert_eq!(call.next().await.kind(), Kind::Result);
    assert_eq!(rig.back.sessions(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_leave_the_session_of_who_listens_open_even_with_a_limit_of_one() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone).sessions(1));
    let mut listening = rig.call(listen("{}"));
    let heard = rig.server().await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    let mut first = rig.call(tool("1", ELICITS));
    let calls = rig.server_with(ELICITS).await;
    let id = calls.expect("tools/call").await;
    calls.answer(&id, "{}");
    assert_eq!(first.next().await.kind(), Kind::Result);
    first.end().await;
    let _list = rig.call(modern("2", "tools/list", "{}", "", ""));
    heard.expect("tools/list").await;
    let _second = rig.call(tool("3", ELICITS));
    calls.expect("tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn who_listens_takes_no_session_that_was_used_a_short_time_ago() {
    let mut rig = rig(ToLegacyOptions { sessions: 1, ..ToLegacyOptions::shared_by(SharedBy::Everyone) });
    let mut call = rig.call(tool("1", ELICITS));
    let used = rig.server_with(ELICITS).await;
    let id = used.expect("tools/call").await;
    used.answer(&id, "{}");
    assert_eq!(call.next().await.kind(), Kind::Result);
    call.end().await;
    let refused = rig.call(listen("{}")).messages.recv().await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("in use"), "{refused}");
    tokio::time::sleep(limits::POOL_RESERVED).await;
    let mut listening = rig.call(listen("{}"));
    rig.server().await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
}

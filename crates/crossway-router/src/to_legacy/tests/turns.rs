//! Calls that may ask their clients wait for each other's sessions.

use std::collections::VecDeque;

use super::*;

/// As many calls as there may be at once, each in a session of its own, in the order of their ids from 1.
async fn fill(rig: &mut Rig) -> Vec<(Asked, Server, RequestId)> {
    let mut calls = Vec::new();
    for id in 1..=limits::POOL_AT_ONCE {
        let call = rig.call(tool(&id.to_string(), ELICITS));
        let server = rig.server_with(ELICITS).await;
        let id = server.expect("tools/call").await;
        calls.push((call, server, id));
    }
    calls
}

#[tokio::test]
async fn many_at_once_have_few_sessions_and_are_all_answered() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut calls: VecDeque<_> = (0..20).map(|id| rig.call(tool(&id.to_string(), ELICITS))).collect();
    let mut sessions = tokio::task::JoinSet::new();
    for _ in 0..limits::POOL_AT_ONCE {
        let server = rig.server_with(ELICITS).await;
        sessions.spawn(async move {
            while let Some(request) = server.receive().await {
                server.answer(&request.id().unwrap(), "{}");
            }
        });
    }
    for id in 0..20 {
        let mut call = calls.pop_front().unwrap();
        assert_eq!(call.next().await.id(), Some(RequestId::from(id)));
    }
    assert_eq!(rig.back.sessions(), limits::POOL_AT_ONCE);
    assert!(rig.servers.try_recv().is_err());
}

#[tokio::test]
async fn who_comes_later_waits_longer() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut running = fill(&mut rig).await;
    let named = |name: &str| modern("9", "tools/call", ELICITS, "", &format!(r#","name":"{name}""#));
    let waiting: Vec<_> = ["first", "second", "third"].map(|name| rig.call(named(name))).into();
    settle().await;
    let (mut call, server, mut id) = running.remove(2);
    for name in ["first", "second", "third"] {
        server.answer(&id, "{}");
        let next = server.receive().await.unwrap();
        assert_eq!(next.member(Part::Params, "name"), Some(format!("\"{name}\"").as_bytes()));
        id = next.id().unwrap();
    }
    assert_eq!(call.next().await.kind(), Kind::Result);
    drop(waiting);
    assert_eq!(rig.back.sessions(), limits::POOL_AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_a_client_is_asked() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut running = fill(&mut rig).await;
    let began = tokio::time::Instant::now();
    let mut waiting = rig.call(tool("9", ELICITS));
    settle().await;
    assert!(rig.servers.try_recv().is_err());
    // All of them wait for their clients now.
    for (call, server, _) in &mut running {
        server.send(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?"}}"#);
        state_of(&call.next().await);
    }
    let server = rig.server_with(ELICITS).await;
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    assert_eq!(waiting.next().await.kind(), Kind::Result);
    assert!(began.elapsed() < limits::POOL_QUEUE_TIME, "it did not wait for its patience to end");
    // So do those that come then, and what has a session goes on.
    let mut next = rig.call(tool("10", ELICITS));
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    assert_eq!(next.next().await.kind(), Kind::Result);
    assert_eq!(rig.back.sessions(), limits::POOL_AT_ONCE + 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_waited_for_long_has_a_session_whatever_the_others_do() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let _running = fill(&mut rig).await;
    let began = tokio::time::Instant::now();
    let mut waiting = rig.call(tool("9", ELICITS));
    let server = rig.server_with(ELICITS).await;
    assert_eq!(began.elapsed(), limits::POOL_QUEUE_TIME);
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    assert_eq!(waiting.next().await.kind(), Kind::Result);
}

#[tokio::test]
async fn others_do_not_wait_for_one_owner_s_calls() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let _running = fill(&mut rig).await;
    // Another program, and one that can't be asked.
    let info = r#","io.modelcontextprotocol/clientInfo":{"name":"other","version":"1"}"#;
    let _other = rig.call(modern("1", "tools/call", ELICITS, info, r#","name":"n""#));
    rig.server_with(ELICITS).await.expect("tools/call").await;
    let _unasked = rig.call(tool("1", "{}"));
    rig.server().await.expect("tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn one_that_gives_up_waiting_leaves_its_turn_to_the_next() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut running = fill(&mut rig).await;
    let first = rig.call(tool("8", ELICITS));
    let mut second = rig.call(tool("9", ELICITS));
    settle().await;
    let (mut call, server, id) = running.remove(0);
    server.answer(&id, "{}");
    drop(first);
    call.next().await;
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    assert_eq!(second.next().await.id(), Some(RequestId::from(9)));
    assert_eq!(rig.back.sessions(), limits::POOL_AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_told_at_once_when_the_pool_ends() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let _running = fill(&mut rig).await;
    let began = tokio::time::Instant::now();
    let mut waiting = rig.call(tool("9", ELICITS));
    settle().await;
    rig.back.close().await;
    assert_eq!(waiting.messages.recv().await.unwrap().unwrap_err().outcome(), Outcome::NotSent);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

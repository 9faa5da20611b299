//! Servers that answer nothing any more, and servers that are slow.

use super::*;
use crate::limits::SILENT_TIME;

/// The next session, of a server that does not log.
async fn plain_server(rig: &mut Rig) -> Server {
    let (_, server) =
        tokio::time::timeout(SILENT_TIME, rig.servers.recv()).await.expect("a session").unwrap();
    let opening = server.expect("initialize").await;
    server.answer(&opening, PLAIN);
    assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
    server
}

/// A call that its client gives up, up to the ping that follows.
async fn given_up(rig: &Rig, server: &Server) -> RequestId {
    let call = rig.call(tool("\"given up\"", "{}"));
    let id = server.expect("tools/call").await;
    drop(call);
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    server.expect("ping").await
}

/// Waits until the server has been silent for too long: it is pinged again then.
async fn time_passes(server: &Server) {
    assert!(server.receive().await.unwrap().cancelled_id().is_some());
    server.expect("ping").await;
}

/// The ping that follows one that was not answered in time.
async fn next_ping(server: &Server) -> RequestId {
    loop {
        let message = server.receive().await.unwrap();
        if message.is_method("ping") {
            return message.id().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_gets_no_new_calls_and_is_ended_when_it_was_unused_for_long() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut kept = rig.call(tool("1", "{}"));
    let silent = plain_server(&mut rig).await;
    let kept_id = silent.expect("tools/call").await;
    given_up(&rig, &silent).await;
    time_passes(&silent).await;
    let mut later = rig.call(tool("2", "{}"));
    let fresh = plain_server(&mut rig).await;
    let id = fresh.expect("tools/call").await;
    silent.answer(&kept_id, "{}");
    assert_eq!(kept.next().await.kind(), Kind::Result);
    kept.end().await;
    let unused_since = tokio::time::Instant::now();
    while silent.receive().await.is_some() {}
    assert!(unused_since.elapsed() >= limits::POOL_IDLE, "it may still be at work");
    assert_eq!(rig.back.sessions(), 1);
    fresh.answer(&id, "{}");
    assert_eq!(later.next().await.kind(), Kind::Result);
}

#[tokio::test(start_paused = true)]
async fn a_silent_session_at_work_takes_no_place_of_calls_that_share_theirs() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone).sessions(1));
    let asking = r#"{"elicitation":{}}"#;
    let _kept = rig.call(tool("1", asking));
    let silent = plain_server(&mut rig).await;
    silent.expect("tools/call").await;
    let list = |id: &str| modern(id, "tools/list", asking, "", "");
    let given_up = rig.call(list("2"));
    silent.expect("tools/list").await;
    drop(given_up);
    assert!(silent.receive().await.unwrap().cancelled_id().is_some());
    silent.expect("ping").await;
    time_passes(&silent).await;
    let _later = rig.call(list("3"));
    let fresh = plain_server(&mut rig).await;
    fresh.expect("tools/list").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_gets_calls_again_once_it_answers() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let given_up_call = rig.call(tool("1", "{}"));
    let slow = plain_server(&mut rig).await;
    slow.expect("tools/call").await;
    drop(given_up_call);
    assert!(slow.receive().await.unwrap().cancelled_id().is_some());
    slow.expect("ping").await;
    time_passes(&slow).await;
    let _meanwhile = rig.call(tool("2", "{}"));
    let fresh = plain_server(&mut rig).await;
    fresh.expect("tools/call").await;
    // Its work is done now.
    slow.answer(&next_ping(&slow).await, "{}");
    settle().await;
    let _later = rig.call(tool("3", "{}"));
    slow.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_that_may_ask_get_the_session_again_once_its_server_answers() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let given_up_call = rig.call(tool("1", ELICITS));
    let slow = plain_server(&mut rig).await;
    slow.expect("tools/call").await;
    drop(given_up_call);
    assert!(slow.receive().await.unwrap().cancelled_id().is_some());
    slow.expect("ping").await;
    time_passes(&slow).await;
    let _meanwhile = rig.call(tool("2", ELICITS));
    let fresh = plain_server(&mut rig).await;
    fresh.expect("tools/call").await;
    slow.answer(&next_ping(&slow).await, "{}");
    settle().await;
    let _later = rig.call(tool("3", ELICITS));
    slow.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_makes_room_before_one_that_answers() {
    let mut rig = rig(ToLegacyOptions { sessions: 2, ..ToLegacyOptions::shared_by(SharedBy::ScopeKey) });
    let keyed = |key: &str| {
        let mut context = Context::default();
        context.extensions.insert(ScopeKey::new(key));
        context
    };
    let mut first = rig.call_for(tool("1", "{}"), keyed("a"));
    let unused = plain_server(&mut rig).await;
    let id = unused.expect("tools/call").await;
    unused.answer(&id, "{}");
    assert_eq!(first.next().await.kind(), Kind::Result);
    let given_up_call = rig.call_for(tool("2", "{}"), keyed("b"));
    let silent = plain_server(&mut rig).await;
    silent.expect("tools/call").await;
    drop(given_up_call);
    assert!(silent.receive().await.unwrap().cancelled_id().is_some());
    silent.expect("ping").await;
    time_passes(&silent).await;
    let _third = rig.call_for(tool("3", "{}"), keyed("c"));
    let third = plain_server(&mut rig).await;
    third.expect("tools/call").await;
    let _fourth = rig.call_for(tool("4", "{}"), keyed("a"));
    unused.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_listens_to_a_silent_server_is_told_of_its_end() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let filter = r#","notifications":{"toolsListChanged":true}"#;
    let mut listening = rig.call(modern("\"l\"", "subscriptions/listen", "{}", "", filter));
    let silent = rig.server().await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    given_up(&rig, &silent).await;
    let ended = tokio::time::timeout(SILENT_TIME * 2, listening.next()).await.expect("an end");
    assert_eq!(ended.kind(), Kind::Result);
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_that_answers_pings_is_kept() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let _slow = rig.call(tool("1", "{}"));
    let server = plain_server(&mut rig).await;
    server.expect("tools/call").await;
    for _ in 0..3 {
        let ping = given_up(&rig, &server).await;
        tokio::time::sleep(SILENT_TIME / 2).await;
        server.answer(&ping, "{}");
        tokio::time::sleep(SILENT_TIME).await;
    }
    assert_eq!(rig.back.sessions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_other_calls_and_no_ping_is_kept() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut other = rig.call(tool("1", "{}"));
    let server = plain_server(&mut rig).await;
    let id = server.expect("tools/call").await;
    given_up(&rig, &server).await;
    server.answer(&id, "{}");
    assert_eq!(other.next().await.kind(), Kind::Result);
    time_passes(&server).await;
    let _later = rig.call(tool("2", "{}"));
    server.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 1);
}

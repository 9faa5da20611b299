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

#[tokio::test(start_paused = true)]
async fn a_silent_server_gets_no_new_calls_and_ends_after_those_that_it_has() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut kept = rig.call(tool("1", "{}"));
    let silent = plain_server(&mut rig).await;
    let kept_id = silent.expect("tools/call").await;
    given_up(&rig, &silent).await;
    time_passes(&silent).await;
    let mut later = rig.call(tool("2", "{}"));
    let fresh = plain_server(&mut rig).await;
    let id = fresh.expect("tools/call").await;
    fresh.answer(&id, "{}");
    assert_eq!(later.next().await.kind(), Kind::Result);
    assert_eq!(rig.back.sessions(), 2, "the other has a call");
    silent.answer(&kept_id, "{}");
    assert_eq!(kept.next().await.kind(), Kind::Result);
    kept.end().await;
    while silent.receive().await.is_some() {}
    assert_eq!(rig.back.sessions(), 1);
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

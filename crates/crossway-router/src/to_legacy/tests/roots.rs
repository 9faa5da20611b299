//! What a server asks about roots when nobody can be asked.

use super::*;

const ROOTS: &str = r#"{"roots":{}}"#;
const QUESTION: &str = r#"{"jsonrpc":"2.0","id":"r","method":"roots/list","params":{"_meta":{"of":"1"}}}"#;

fn list(id: &str) -> Message {
    modern(id, "tools/list", ROOTS, "", "")
}

/// The call, with the answer to what its client was asked.
fn with_roots(id: &str, state: &str) -> Message {
    let answers =
        format!(r#","name":"n","inputResponses":{{"ask-1":{{"roots":[]}}}},"requestState":{state}"#);
    modern(id, "tools/call", ROOTS, "", &answers)
}

/// Calls, and answers what is asked before the server sees the call.
async fn call_with_roots(rig: &Rig, server: &Server) {
    let mut first = rig.call(tool("8", ROOTS));
    let asked = first.next().await;
    // Nothing that may be of the call that it came with.
    assert!(
        text(&asked).contains(r#""inputRequests":{"ask-1":{"method":"roots/list"}}"#),
        "{}",
        text(&asked)
    );
    let state = state_of(&asked);
    let mut second = rig.call(with_roots("9", &state));
    let answer = text(&server.receive().await.unwrap());
    assert_eq!(answer, r#"{"jsonrpc":"2.0","id":"r","result":{"roots":[]}}"#);
    let request = server.receive().await.unwrap();
    assert!(request.is_method("tools/call") && request.member(Part::Params, "inputResponses").is_none());
    server.answer(&request.id().unwrap(), r#"{"content":[]}"#);
    let answer = second.next().await;
    assert_eq!((answer.id(), answer.kind()), (Some(RequestId::from(9)), Kind::Result));
}

#[tokio::test(start_paused = true)]
async fn a_question_beside_a_list_waits_for_the_next_call_which_has_the_answer_before_it_is_made() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut listed = rig.call(list("1"));
    let server = rig.server_with(ROOTS).await;
    let id = server.expect("tools/list").await;
    server.send(QUESTION);
    server.answer(&id, r#"{"tools":[]}"#);
    assert_eq!(listed.next().await.kind(), Kind::Result);
    // Another list is none.
    let mut again = rig.call(list("2"));
    let id = server.expect("tools/list").await;
    server.answer(&id, r#"{"tools":[]}"#);
    assert_eq!(again.next().await.kind(), Kind::Result);
    call_with_roots(&rig, &server).await;
    // It is asked once.
    let mut next = rig.call(tool("10", ROOTS));
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    assert_eq!(next.next().await.kind(), Kind::Result);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_the_answer_before_it_lists_is_soon_told_that_there_is_none() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut listed = rig.call(list("1"));
    let server = rig.server_with(ROOTS).await;
    let id = server.expect("tools/list").await;
    let began = tokio::time::Instant::now();
    server.send(QUESTION);
    assert_eq!(server.receive().await.unwrap().kind(), Kind::Error);
    assert_eq!(began.elapsed(), limits::ROOTS_HELD);
    server.answer(&id, r#"{"tools":[]}"#);
    assert_eq!(listed.next().await.kind(), Kind::Result);
    // The next list does not wait for it.
    let began = tokio::time::Instant::now();
    let _again = rig.call(list("2"));
    server.expect("tools/list").await;
    server.send(QUESTION);
    assert_eq!(server.receive().await.unwrap().kind(), Kind::Error);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_a_call_was_answered_without_waits_for_the_next() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", ROOTS));
    let server = rig.server_with(ROOTS).await;
    let id = server.expect("tools/call").await;
    server.send(QUESTION);
    server.answer(&id, r#"{"content":[]}"#);
    assert_eq!(first.next().await.kind(), Kind::Result);
    call_with_roots(&rig, &server).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_server_no_longer_wants_to_know_nobody_is_asked() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut listed = rig.call(list("1"));
    let server = rig.server_with(ROOTS).await;
    let id = server.expect("tools/list").await;
    server.send(QUESTION);
    server.answer(&id, r#"{"tools":[]}"#);
    listed.next().await;
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"r"}}"#);
    settle().await;
    let _call = rig.call(tool("2", ROOTS));
    server.expect("tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_list_that_was_cancelled_is_asked_nobody() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let listed = rig.call(list("1"));
    let server = rig.server_with(ROOTS).await;
    server.expect("tools/list").await;
    server.send(QUESTION);
    settle().await;
    drop(listed);
    let mut refused = 0;
    for _ in 0..3 {
        let message = server.receive().await.unwrap();
        refused += usize::from(message.kind() == Kind::Error);
        if message.is_method("ping") {
            server.answer(&message.id().unwrap(), "{}");
        }
    }
    assert_eq!(refused, 1);
    let _call = rig.call(tool("2", ROOTS));
    server.expect("tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_about_its_roots_leaves_no_call_behind() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut listed = rig.call(list("1"));
    let server = rig.server_with(ROOTS).await;
    let id = server.expect("tools/list").await;
    server.send(QUESTION);
    server.answer(&id, r#"{"tools":[]}"#);
    listed.next().await;
    let mut call = rig.call(tool("2", ROOTS));
    state_of(&call.next().await);
    // The server never saw the call.
    assert_eq!(server.receive().await.unwrap().kind(), Kind::Error);
    pong(&server).await;
    let _next = rig.call(tool("3", ROOTS));
    server.expect("tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_room_to_wait_before_it_is_sent_was_not_sent() {
    let roots = r#"{"roots":{}}"#;
    let mut rig = rig(ToLegacyOptions { parked_calls: 0, ..ToLegacyOptions::shared_by(SharedBy::Everyone) });
    let mut discovered = rig.call(modern("0", "server/discover", roots, "", ""));
    let server = rig.server_with(roots).await;
    discovered.next().await;
    server.send(r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
    settle().await;
    let mut call = rig.call(tool("1", roots));
    let refused = text(&call.next().await);
    assert!(refused.contains("-31003") && refused.contains(r#""outcome":"not sent""#), "{refused}");
}

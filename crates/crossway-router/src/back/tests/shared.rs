//! What one of several clients of a session does is not heard by the others.

use super::*;

const LOGS: &str = r#","io.modelcontextprotocol/logLevel":"info""#;

#[tokio::test]
async fn requests_of_all_clients_have_ids_of_the_session_s_own() {
    let mut rig = rig(BackOptions::default());
    let token = r#","progressToken":"p""#;
    let call = || modern("1", "tools/call", "{}", token, r#","name":"n""#);
    let (mut first, mut second) = (rig.call(call()), rig.call(call()));
    let server = rig.server().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let request = server.receive().await.unwrap();
        // The pipe has ids of its own again: what counts is that the tokens follow them.
        assert_eq!(request.progress_token(), request.id());
        seen.push(request.id().unwrap());
    }
    assert_ne!(seen[0], seen[1]);
    for id in &seen {
        server.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
        ));
        server.answer(id, "{}");
    }
    for reply in [&mut first, &mut second] {
        assert_eq!(reply.next().await.progress_token(), Some(RequestId::from("p")));
        assert_eq!(reply.next().await.id(), Some(RequestId::from(1)));
    }
}

#[tokio::test]
async fn what_is_logged_for_a_cancelled_call_reaches_nobody_else() {
    let mut rig = rig(BackOptions::default());
    let call = |id: &str| modern(id, "tools/call", "{}", LOGS, r#","name":"n""#);
    let log = |server: &Server, data: u32| {
        server.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"error","data":{data}}}}}"#
        ));
    };
    let first = rig.call(call("1"));
    let server = rig.server().await;
    let level = server.expect("logging/setLevel").await;
    server.answer(&level, "{}");
    server.expect("tools/call").await;
    drop(first);
    assert!(server.receive().await.unwrap().cancelled_id().is_some());
    let mut second = rig.call(call("2"));
    log(&server, 1);
    let id = loop {
        let request = server.receive().await.unwrap();
        let id = request.id().unwrap();
        if request.is_method("tools/call") {
            break id;
        }
        server.answer(&id, "{}");
    };
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    log(&server, 2);
    server.answer(&id, "{}");
    let heard = text(&second.next().await);
    assert!(heard.contains(r#""data":2"#), "{heard}");
    assert_eq!(second.next().await.kind(), Kind::Result);
}

#[tokio::test]
async fn a_question_of_a_cancelled_call_is_asked_nobody_else() {
    let mut rig = rig(BackOptions::default());
    let first = rig.call(tool("1", ELICITS));
    let server = rig.server_with(ELICITS).await;
    server.expect("tools/call").await;
    drop(first);
    assert!(server.receive().await.unwrap().cancelled_id().is_some());
    // The server has not read that yet when it asks.
    server.send(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"first?"}}"#);
    let mut second = rig.call(tool("2", ELICITS));
    let other = rig.server_with(ELICITS).await;
    let id = other.expect("tools/call").await;
    other.answer(&id, "{}");
    assert_eq!(second.next().await.kind(), Kind::Result);
    let ping = server.expect("ping").await;
    let refused = server.receive().await.unwrap();
    assert_eq!((refused.kind(), refused.id()), (Kind::Error, Some(RequestId::from("q"))));
    server.answer(&ping, "{}");
    // It is free again.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.back.sessions(), 2);
    let _third = rig.call(tool("3", ELICITS));
    let _fourth = rig.call(tool("4", ELICITS));
    server.expect("tools/call").await;
    other.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 2);
}

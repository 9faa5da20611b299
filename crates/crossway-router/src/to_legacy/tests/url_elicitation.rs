//! Calls that a server refuses before its user has been to a URL.

use super::*;

const BY_URL: &str = r#"{"elicitation":{"url":{}}}"#;

/// Refuses the next call by the error of 2025-11-25.
async fn send_away(server: &Server) {
    let id = server.expect("tools/call").await;
    let id = String::from_utf8(id.as_json().to_vec()).unwrap();
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32042,"message":"m","data":{{"elicitations":[{{"mode":"url","elicitationId":"e","url":"https://a","message":"A"}}]}}}}}}"#
    ));
}

fn back_again(id: &str, state: &str, name: &str, action: &str) -> Message {
    let rest = format!(
        r#","name":"{name}","inputResponses":{{"ask-1":{{"action":"{action}"}}}},"requestState":{state}"#
    );
    modern(id, "tools/call", BY_URL, "", &rest)
}

#[tokio::test]
async fn the_call_is_made_anew_once_the_user_has_agreed() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", BY_URL));
    let server = rig.server_with(BY_URL).await;
    send_away(&server).await;
    let asked = first.next().await;
    assert!(text(&asked).contains(r#""params":{"mode":"url","url":"https://a","message":"A"}"#));
    first.end().await;
    let mut second = rig.call(back_again("2", &state_of(&asked), "n", "accept"));
    let request = server.receive().await.unwrap();
    assert!(request.is_method("tools/call") && request.meta_version().is_none());
    assert!(request.member(Part::Params, "requestState").is_none());
    assert!(request.member(Part::Params, "inputResponses").is_none());
    server.answer(&request.id().unwrap(), r#"{"content":[]}"#);
    let answer = second.next().await;
    assert_eq!((answer.id(), answer.kind()), (Some(RequestId::from(2)), Kind::Result));
    assert_eq!(rig.back.sessions(), 1);
}

#[tokio::test]
async fn a_server_that_still_needs_the_visit_asks_again() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", BY_URL));
    let server = rig.server_with(BY_URL).await;
    send_away(&server).await;
    let mut second = rig.call(back_again("2", &state_of(&first.next().await), "n", "accept"));
    send_away(&server).await;
    let mut third = rig.call(back_again("3", &state_of(&second.next().await), "n", "accept"));
    let id = server.expect("tools/call").await;
    server.answer(&id, r#"{"content":[]}"#);
    assert_eq!(third.next().await.kind(), Kind::Result);
}

#[tokio::test]
async fn a_user_who_won_t_go_does_not_have_the_server_asked_again() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", BY_URL));
    let server = rig.server_with(BY_URL).await;
    send_away(&server).await;
    let mut second = rig.call(back_again("2", &state_of(&first.next().await), "n", "decline"));
    assert!(text(&second.next().await).contains("-32603"));
    // The next thing that the server hears is another call.
    let _third = rig.call(modern("3", "tools/list", BY_URL, "", ""));
    server.expect("tools/list").await;
}

#[tokio::test]
async fn a_state_is_valid_for_its_request_and_its_owner_alone() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::ScopeKey));
    let keyed = |key: &str| {
        let mut context = Context::default();
        context.extensions.insert(ScopeKey::new(key));
        context
    };
    let mut first = rig.call_for(tool("1", BY_URL), keyed("a"));
    let server = rig.server_with(BY_URL).await;
    send_away(&server).await;
    let state = state_of(&first.next().await);
    for (name, key) in [("other", "a"), ("n", "b")] {
        let mut wrong = rig.call_for(back_again("2", &state, name, "accept"), keyed(key));
        assert!(text(&wrong.next().await).contains("-32602"), "{name} {key}");
    }
    let _right = rig.call_for(back_again("2", &state, "n", "accept"), keyed("a"));
    server.expect("tools/call").await;
}

#[tokio::test]
async fn bridges_with_one_key_take_on_each_others_calls() {
    let keyring = Arc::new(Keyring::random().unwrap());
    let mut one = rig(ToLegacyOptions::shared_by(SharedBy::Everyone).keyring(Arc::clone(&keyring)));
    let mut first = one.call(tool("1", BY_URL));
    let server = one.server_with(BY_URL).await;
    send_away(&server).await;
    let state = state_of(&first.next().await);
    let mut other = rig(ToLegacyOptions::shared_by(SharedBy::Everyone).keyring(keyring));
    let _second = other.call(back_again("2", &state, "n", "accept"));
    other.server_with(BY_URL).await.expect("tools/call").await;
}

#[tokio::test]
async fn a_client_that_visits_no_urls_is_told_so() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut first = rig.call(tool("1", "{}"));
    let server = rig.server().await;
    send_away(&server).await;
    assert!(text(&first.next().await).contains("-32021"));
}

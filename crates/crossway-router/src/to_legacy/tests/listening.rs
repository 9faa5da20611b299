//! Those who listen, and in which session a change is made.

use super::*;

fn listen(id: &str, capabilities: &str, filter: &str) -> Message {
    modern(id, "subscriptions/listen", capabilities, "", &format!(r#","notifications":{filter}"#))
}

const TO_U: &str = r#"{"resourceSubscriptions":["u"]}"#;
const CHANGE: &str = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#;

/// Takes a subscription, which has to be the next thing that the server hears.
async fn take(server: &Server) {
    let id = server.expect("resources/subscribe").await;
    server.answer(&id, "{}");
}

#[tokio::test]
async fn changes_go_to_those_who_listen_for_them() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let listen = |id: &str, filter: &str| listen(id, "{}", filter);
    let mut tools = rig.call(listen("1", r#"{"toolsListChanged":true,"promptsListChanged":true}"#));
    let server = rig.server().await;
    let acknowledged = text(&tools.next().await);
    assert!(acknowledged.contains(r#""notifications":{"toolsListChanged":true}"#), "{acknowledged}");
    let mut resource = rig.call(listen("2", r#"{"resourceSubscriptions":["u"]}"#));
    let id = server.expect("resources/subscribe").await;
    server.answer(&id, "{}");
    resource.next().await;
    // The server is told of the first and the last subscription alone.
    let mut same = rig.call(listen("3", r#"{"resourceSubscriptions":["u"]}"#));
    same.next().await;
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    assert_eq!(tools.next().await.subscription_id(), Some(RequestId::from(1)));
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#);
    assert_eq!(resource.next().await.subscription_id(), Some(RequestId::from(2)));
    assert_eq!(same.next().await.subscription_id(), Some(RequestId::from(3)));
    drop(same);
    drop(resource);
    server.expect("resources/unsubscribe").await;
    // The session's end is the subscription's.
    drop(server);
    assert_eq!(tools.next().await.kind(), Kind::Result);
    tools.end().await;
}

#[tokio::test]
async fn a_subscription_that_can_not_be_read_is_refused_and_null_is_absent() {
    let mut rig = rig(ToLegacyOptions::default());
    for malformed in ["[]", r#"{"toolsListChanged":true,"resourceSubscriptions":["u",5]}"#] {
        let refused = text(&rig.call(listen("1", "{}", malformed)).next().await);
        assert!(refused.contains(r#""code":-32602"#), "{refused}");
    }
    let asked = r#"{"toolsListChanged":true,"promptsListChanged":null,"resourceSubscriptions":null}"#;
    let mut tools = rig.call(listen("2", "{}", asked));
    let _server = rig.server().await;
    let acknowledged = text(&tools.next().await);
    assert!(acknowledged.contains(r#""notifications":{"toolsListChanged":true}"#), "{acknowledged}");
}

#[tokio::test]
async fn a_change_is_told_that_a_call_makes_in_another_session() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let _slow = rig.call(tool("1", ELICITS));
    let one = rig.server_with(ELICITS).await;
    one.expect("tools/call").await;
    let mut listening = rig.call(listen("2", ELICITS, TO_U));
    take(&one).await;
    assert!(text(&listening.next().await).contains(r#""resourceSubscriptions":["u"]"#));
    // The call can't have the session that the other one has.
    let mut changing = rig.call(tool("3", ELICITS));
    let two = rig.server_with(ELICITS).await;
    take(&two).await;
    let id = two.expect("tools/call").await;
    two.send(CHANGE);
    assert_eq!(listening.next().await.subscription_id(), Some(RequestId::from(2)));
    two.answer(&id, "{}");
    assert_eq!(changing.next().await.kind(), Kind::Result);
    // Some servers tell later.
    two.send(CHANGE);
    assert_eq!(listening.next().await.subscription_id(), Some(RequestId::from(2)));
    drop(listening);
    one.expect("resources/unsubscribe").await;
    two.expect("resources/unsubscribe").await;
}

#[tokio::test]
async fn a_listener_hears_of_what_calls_change_that_were_there_before() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut calls = Vec::new();
    let mut servers = Vec::new();
    for id in ["1", "2", "3"] {
        calls.push(rig.call(tool(id, ELICITS)));
        let server = rig.server_with(ELICITS).await;
        servers.push((server.expect("tools/call").await, server));
    }
    let [(_, one), (_, two), (id, three)] = &servers[..] else { panic!() };
    three.answer(id, "{}");
    calls[2].next().await;
    calls[2].end().await;
    let mut listening = rig.call(listen("4", ELICITS, TO_U));
    take(one).await;
    take(two).await;
    listening.next().await;
    two.send(CHANGE);
    assert_eq!(listening.next().await.subscription_id(), Some(RequestId::from(4)));
    // One that nobody uses is told when it is used again.
    let _next = rig.call(tool("5", ELICITS));
    take(three).await;
    three.expect("tools/call").await;
    three.send(CHANGE);
    assert_eq!(listening.next().await.subscription_id(), Some(RequestId::from(4)));
}

#[tokio::test]
async fn clients_that_can_be_asked_something_else_hear_of_all_changes_too() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut listening = rig.call(listen("1", "{}", r#"{"toolsListChanged":true}"#));
    let one = rig.server().await;
    listening.next().await;
    let _call = rig.call(tool("2", ELICITS));
    let two = rig.server_with(ELICITS).await;
    two.expect("tools/call").await;
    for server in [two, one] {
        server.send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
        assert_eq!(listening.next().await.subscription_id(), Some(RequestId::from(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_about_a_resource_holds_a_call_up_for_so_long_and_no_longer() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let _slow = rig.call(tool("1", ELICITS));
    let one = rig.server_with(ELICITS).await;
    one.expect("tools/call").await;
    let mut listening = rig.call(listen("2", ELICITS, TO_U));
    take(&one).await;
    listening.next().await;
    let _call = rig.call(tool("3", ELICITS));
    let two = rig.server_with(ELICITS).await;
    let began = tokio::time::Instant::now();
    let subscription = two.expect("resources/subscribe").await;
    two.expect("tools/call").await;
    assert_eq!(began.elapsed(), limits::SUBSCRIBE_WAIT);
    // It is not cancelled, and counts when it comes.
    two.answer(&subscription, "{}");
    two.send(CHANGE);
    assert_eq!(listening.next().await.subscription_id(), Some(RequestId::from(2)));
}

#[tokio::test]
async fn a_resource_that_is_refused_is_asked_for_again_by_the_next_who_listens() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let mut refused = rig.call(listen("1", "{}", TO_U));
    let server = rig.server().await;
    let id = server.expect("resources/subscribe").await;
    let id = String::from_utf8(id.as_json().to_vec()).unwrap();
    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32002,"message":"m"}}}}"#));
    assert!(text(&refused.next().await).contains(r#""notifications":{}"#));
    let mut taken = rig.call(listen("2", "{}", TO_U));
    take(&server).await;
    assert!(text(&taken.next().await).contains(r#"["u"]"#));
}

/// Users of one shared server, which takes no subscription.
async fn where_one_listens_to_many() -> (Rig, Server, Asked) {
    let user_of = |context: &Context| context.extensions.get::<ScopeKey>().cloned();
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone).shared_among(|_| None, user_of));
    let uris: Vec<String> = (0..1000).map(|number| format!("\"u:{number}\"")).collect();
    let filter = format!(r#"{{"resourceSubscriptions":[{}]}}"#, uris.join(","));
    let listening = rig.call_for(listen("1", "{}", &filter), of("ann"));
    let server = rig.server().await;
    (rig, server, listening)
}

fn of(user: &str) -> Context {
    let mut context = Context::default();
    context.extensions.insert(ScopeKey::new(user));
    context
}

#[tokio::test(start_paused = true)]
async fn what_one_user_listens_to_holds_up_no_other_user_s_calls() {
    let (rig, server, _listening) = where_one_listens_to_many().await;
    let first = server.receive().await.unwrap();
    assert!(first.is_method("resources/subscribe"));
    let began = tokio::time::Instant::now();
    let _call = rig.call_for(tool("2", "{}"), of("bob"));
    while !server.receive().await.unwrap().is_method("tools/call") {}
    assert_eq!(began.elapsed(), Duration::ZERO);
    // One's own wait for a moment.
    let _own = rig.call_for(tool("3", "{}"), of("ann"));
    while !server.receive().await.unwrap().is_method("tools/call") {}
    assert_eq!(began.elapsed(), limits::SUBSCRIBE_WAIT);
}

#[tokio::test(start_paused = true)]
async fn a_server_is_told_of_few_resources_at_once_and_for_no_longer_than_it_may_take() {
    let (rig, server, mut listening) = where_one_listens_to_many().await;
    let began = tokio::time::Instant::now();
    let mut other = rig.call_for(listen("2", "{}", TO_U), of("bob"));
    let mut asked = 0;
    while let Ok(message) = tokio::time::timeout(Duration::from_secs(1), server.receive()).await {
        assert!(message.unwrap().is_method("resources/subscribe"));
        asked += 1;
    }
    assert_eq!(asked, limits::SUBSCRIBES_AT_ONCE);
    for told in [listening.next().await, other.next().await] {
        assert!(told.is_method("notifications/subscriptions/acknowledged"));
        assert!(!text(&told).contains("resourceSubscriptions"), "{told:?}");
    }
    assert!(began.elapsed() <= limits::OPEN_TIME * 2);
}

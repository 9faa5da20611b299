//! Streams for messages outside calls.

use crossway_service::SessionLimiter;
use crossway_streamable_http::server::{Config, Limits};
use http::{Method, Request, StatusCode};
use http_body_util::Full;

use crate::support::{Answer, Client, call, scripted, settle};

fn changed(what: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/{what}/list_changed"}}"#)
}

#[tokio::test]
async fn a_get_gives_what_belongs_to_no_call() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let answer = client.get().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let mut events = answer.events();
    let priming = events.next().await.unwrap();
    assert_eq!((priming.id.as_deref(), priming.retry), (Some(&b"g1-0"[..]), Some(1000)));
    server.send(&changed("tools"));
    let event = events.next().await.unwrap();
    assert_eq!((event.data, event.id.as_deref()), (changed("tools").into(), Some(&b"g1-1"[..])));
    assert!(events.is_silent().await);
}

#[tokio::test]
async fn each_message_goes_out_on_one_of_several_streams() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-06-18").await;
    let mut one = client.get().await.events();
    let mut two = client.get().await.events();
    assert!(one.is_silent().await && two.is_silent().await);
    server.send(&changed("tools"));
    server.send(&changed("prompts"));
    server.send(&changed("resources"));
    let mut seen = Vec::new();
    while seen.len() < 3 {
        tokio::select! {
            data = one.data() => seen.push(data),
            data = two.data() => seen.push(data),
        }
    }
    seen.sort();
    assert_eq!(seen, [changed("prompts"), changed("resources"), changed("tools")]);
    assert!(one.is_silent().await && two.is_silent().await);
}

#[tokio::test]
async fn the_oldest_stream_is_closed_when_there_are_too_many() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-06-18").await;
    let mut first = client.get().await.events();
    assert!(first.is_silent().await);
    let mut others = Vec::new();
    for _ in 0..Limits::STANDING_STREAMS {
        others.push(client.get().await.events());
    }
    assert!(first.next().await.is_none());
    assert!(others[0].is_silent().await);
    drop(first);
    others.truncate(1);
    server.send(&changed("tools"));
    assert_eq!(others[0].data().await, changed("tools"));
}

#[tokio::test]
async fn what_is_said_while_nobody_listens_waits() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-06-18").await;
    server.send(&changed("tools"));
    settle().await;
    assert_eq!(client.get().await.events().data().await, changed("tools"));
}

#[tokio::test]
async fn a_standing_stream_is_taken_up_with_what_was_missed() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let mut events = client.get().await.events();
    assert!(events.data().await.is_empty());
    server.send(&changed("tools"));
    server.send(&changed("prompts"));
    assert_eq!(events.data().await, changed("tools"));
    assert_eq!(events.data().await, changed("prompts"));
    drop(events);
    // The client has seen the first of the two only.
    let mut events = client.with("last-event-id", "g1-1").get().await.events();
    assert_eq!(events.data().await, changed("prompts"));
    assert!(events.is_silent().await);
    server.send(&changed("resources"));
    let event = events.next().await.unwrap();
    assert_eq!((event.data, event.id.as_deref()), (changed("resources").into(), Some(&b"g1-3"[..])));
}

#[tokio::test]
async fn a_standing_stream_that_is_taken_up_is_taken_from_its_reader() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let mut stale = client.get().await.events();
    assert!(stale.data().await.is_empty());
    assert!(stale.is_silent().await);
    let mut events = client.with("last-event-id", "g1-0").get().await.events();
    assert!(stale.next().await.is_none());
    server.send(&changed("tools"));
    while events.data().await != changed("tools") {}
}

#[tokio::test]
async fn a_standing_stream_of_which_nothing_is_kept_begins_anew() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let answer = client.with("last-event-id", "g7-3").get().await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut events = answer.events();
    assert!(events.data().await.is_empty());
    server.send(&changed("tools"));
    assert_eq!(events.data().await, changed("tools"));
}

#[tokio::test]
async fn a_standing_stream_ends_with_its_session() {
    let (service, mut connections) = scripted(Config::new());
    let (client, _server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let mut events = client.get().await.events();
    assert!(events.data().await.is_empty());
    assert!(events.is_silent().await);
    assert_eq!(client.delete().await.status, StatusCode::NO_CONTENT);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_standing_stream_never_carries_an_answer() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-06-18").await;
    let mut events = client.get().await.events();
    assert!(events.is_silent().await);
    let request = call("1");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(&changed("tools"));
        server.answer(&id, "{}");
    });
    assert_eq!(answer.json().await["id"], 1);
    assert_eq!(events.data().await, changed("tools"));
    assert!(events.is_silent().await);
}

/// A request of a caller with a share of sessions.
async fn shared(client: &Client, share: &SessionLimiter, method: Method, body: &str) -> Answer {
    let mut request = Request::new(Full::new(body.to_owned().into()));
    *request.method_mut() = method;
    *request.headers_mut() = client.headers.clone();
    request.extensions_mut().insert(share.clone());
    client.send_request(request).await
}

async fn is_refused(answer: Answer) {
    assert_eq!((answer.status, &*answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    let error = answer.json().await;
    assert_eq!(error["error"]["code"], -31003, "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("listening streams"), "{error}");
}

#[tokio::test]
async fn each_stream_beyond_a_session_s_first_takes_the_place_of_a_session() {
    let (service, mut connections) = scripted(Config::new());
    let (client, _server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let share = SessionLimiter::new(1);
    let listen = || shared(&client, &share, Method::GET, "");
    let first = listen().await.events();
    assert!(share.try_acquire().is_some(), "the session has a place of its own");
    let second = listen().await.events();
    assert!(share.try_acquire().is_none());
    is_refused(listen().await).await;
    // The place of the session itself is free again for the next stream.
    drop(first);
    let third = listen().await.events();
    is_refused(listen().await).await;
    drop(second);
    assert!(share.try_acquire().is_some());
    let fourth = listen().await.events();
    drop((third, fourth));
    assert!(share.try_acquire().is_some());
}

#[tokio::test]
async fn a_subscription_takes_the_place_of_a_session_while_it_lasts() {
    let (service, mut connections) = scripted(Config::new());
    let client = Client::modern(&service, "subscriptions/listen");
    let share = SessionLimiter::new(1);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let listen = || shared(&client, &share, Method::POST, body);
    let play = async {
        let (_, server) = connections.recv().await.unwrap();
        server.expect("subscriptions/listen").await;
        server.send(r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#);
        server
    };
    let (answer, _server) = tokio::join!(listen(), play);
    let stream = answer.events();
    assert!(share.try_acquire().is_none());
    is_refused(listen().await).await;
    drop(stream);
    assert!(share.try_acquire().is_some());
}

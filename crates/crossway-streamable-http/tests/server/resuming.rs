//! Streams of calls that break and are taken up again.

use std::time::Duration;

use crossway_proto::{Message, RequestId};
use crossway_service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};
use crossway_streamable_http::server::{Config, Limits, StreamControl, StreamableHttp};
use crossway_testkit::Server;
use futures_util::FutureExt;
use http::StatusCode;
use tokio::sync::mpsc;

use crate::support::{Client, Events, call, initialize, initialize_result, progress, scripted, settle};

/// A call whose response is a stream; the priming event is read.
async fn streaming(client: &Client, server: &Server, id: &str) -> (Events, RequestId) {
    let request = call(id);
    let (answer, upstream_id) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(&progress(1));
        id
    });
    let mut events = answer.events();
    assert!(events.data().await.is_empty());
    assert_eq!(events.data().await, progress(1));
    (events, upstream_id)
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_where_it_broke() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, id) = streaming(&client, &server, "1").await;
    drop(events);
    server.send(&progress(2));
    settle().await;
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    let event = events.next().await.unwrap();
    assert_eq!((event.data, event.id.as_deref()), (progress(2).into(), Some(&b"c1-2"[..])));
    assert!(events.is_silent().await);
    // The rest comes as it happens.
    server.send(&progress(3));
    assert_eq!(events.data().await, progress(3));
    server.answer(&id, "{}");
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn an_answer_that_came_while_nobody_read_is_kept() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, id) = streaming(&client, &server, "1").await;
    drop(events);
    server.answer(&id, "{}");
    settle().await;
    // Twice, as a client whose connection breaks again: the first time from the start.
    for (last, count) in [("c1-0", 2), ("c1-1", 1), ("c1-2", 0)] {
        let answer = client.with("last-event-id", last).get().await;
        assert_eq!(answer.status, StatusCode::OK);
        let mut events = answer.events();
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event);
        }
        assert_eq!(seen.len(), count, "{last}");
    }
}

#[tokio::test]
async fn a_session_whose_call_goes_on_without_its_client_makes_no_room_for_another() {
    let limits = Limits::default().with(|limits| (limits.sessions, limits.evicts_sessions) = (1, true));
    let (service, mut connections) = scripted(Config::new().limits(limits));
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, id) = streaming(&client, &server, "1").await;
    drop(events);
    settle().await;
    let (other, request) = (Client::new(&service), initialize("2025-11-25"));
    tokio::select! {
        refused = other.post(&request) => assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE),
        _ = connections.recv() => panic!("it was ended with a call in flight"),
    }
    server.answer(&id, "{}");
    settle().await;
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    drop(events);
    settle().await;
    Client::open(&service, &mut connections, "2025-11-25").await;
    assert!(server.receive().await.is_none(), "nothing is left to wait for");
}

#[tokio::test]
async fn only_the_stream_that_broke_is_replayed() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (one, first) = streaming(&client, &server, "1").await;
    drop(one);
    server.answer(&first, r#"{"of":1}"#);
    settle().await;
    let (two, second) = streaming(&client, &server, "2").await;
    drop(two);
    server.answer(&second, r#"{"of":2}"#);
    settle().await;
    let mut events = client.with("last-event-id", "c2-1").get().await.events();
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":2,"result":{"of":2}}"#);
    assert!(events.next().await.is_none());
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{"of":1}}"#);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_taken_up_is_taken_from_its_reader() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (mut stale, id) = streaming(&client, &server, "1").await;
    assert!(stale.is_silent().await);
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    assert!(stale.next().await.is_none());
    server.answer(&id, "{}");
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_taken_up_needs_nothing_of_the_connection_that_it_was_on() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    // A connection whose socket is full polls the body no more.
    let (_stuck, id) = streaming(&client, &server, "1").await;
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    server.send(&progress(2));
    server.answer(&id, "{}");
    settle().await;
    assert_eq!(events.data().now_or_never(), Some(progress(2)));
    assert_eq!(events.data().now_or_never().as_deref(), Some(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_session_cannot_take_up_the_stream_of_another() {
    let (service, mut connections) = scripted(Config::new());
    let (one, one_server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (two, _two_server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, id) = streaming(&one, &one_server, "1").await;
    drop(events);
    one_server.answer(&id, r#"{"secret":true}"#);
    settle().await;
    let answer = two.with("last-event-id", "c1-0").get().await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!answer.text().await.contains("secret"));
}

#[tokio::test]
async fn events_that_are_not_known_cannot_be_taken_up() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (_events, _) = streaming(&client, &server, "1").await;
    for last in ["c9-0", "c1-2", "nonsense", "c1"] {
        let answer = client.with("last-event-id", last).get().await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{last}");
        assert_eq!(answer.json().await["error"]["code"], -32600);
    }
}

#[tokio::test]
async fn a_failure_is_kept_like_an_answer() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, _) = streaming(&client, &server, "1").await;
    drop(events);
    drop(server);
    settle().await;
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    let failure: serde_json::Value = serde_json::from_str(&events.data().await).unwrap();
    assert_eq!((failure["id"].as_u64(), failure["error"]["code"].as_i64()), (Some(1), Some(-31002)));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn the_oldest_events_go_when_too_many_are_kept() {
    let limits = Limits::default().with(|limits| limits.kept_events = 4);
    let (service, mut connections) = scripted(Config::new().limits(limits));
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, id) = streaming(&client, &server, "1").await;
    drop(events);
    for step in 2..=9 {
        server.send(&progress(step));
    }
    server.answer(&id, "{}");
    settle().await;
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    for step in 7..=9 {
        assert_eq!(events.data().await, progress(step));
    }
    assert!(events.data().await.contains("result"));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_reader_that_is_slow_loses_nothing() {
    let limits = Limits::default().with(|limits| limits.kept_events = 4);
    let (service, mut connections) = scripted(Config::new().limits(limits));
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, id) = streaming(&client, &server, "1").await;
    drop(events);
    let mut events = client.with("last-event-id", "c1-1").get().await.events();
    for step in 2..=99 {
        server.send(&progress(step));
    }
    server.answer(&id, "{}");
    settle().await;
    for step in 2..=99 {
        assert_eq!(events.data().await, progress(step));
    }
    assert!(events.data().await.contains("result"));
}

#[tokio::test(start_paused = true)]
async fn events_are_dropped_some_minutes_after_their_stream_has_ended() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (events, id) = streaming(&client, &server, "1").await;
    drop(events);
    tokio::time::sleep(2 * Limits::KEPT_FOR).await;
    server.answer(&id, "{}");
    settle().await;
    let resume = client.with("last-event-id", "c1-1");
    tokio::time::sleep(Limits::KEPT_FOR / 2).await;
    assert!(resume.get().await.events().data().await.contains("result"));
    tokio::time::sleep(2 * Limits::KEPT_FOR).await;
    assert_eq!(resume.get().await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn calls_that_are_left_behind_are_cancelled_when_they_are_too_many() {
    let limits = Limits::default().with(|limits| limits.detached_calls = 1);
    let (service, mut connections) = scripted(Config::new().limits(limits));
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (one, _) = streaming(&client, &server, "1").await;
    let (two, second) = streaming(&client, &server, "2").await;
    drop(one);
    drop(two);
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(second));
}

/// An upstream in this process whose only tool closes its stream, and answers when the test says so.
struct Closing(mpsc::Sender<tokio::sync::oneshot::Sender<()>>);

impl Upstream for Closing {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self(self.0.clone()))
    }
}

impl Connection for Closing {
    fn call(&self, call: Call) -> Reply {
        let control = call.context.extensions.get::<StreamControl>().cloned();
        let Ask::Message(message) = call.ask else { return Reply::stream(futures_util::stream::pending()) };
        let Some(id) = message.id() else { return Reply::accepted() };
        if message.is_method("initialize") {
            let result = initialize_result(&id.to_string(), "2025-11-25");
            return Reply::once(Message::parse(result.into(), &Default::default()).unwrap());
        }
        let calls = self.0.clone();
        Reply::pending(async move {
            control.expect("a control").close_stream();
            let (answer, answered) = tokio::sync::oneshot::channel();
            calls.send(answer).await.unwrap();
            answered.await.unwrap();
            Reply::once(Message::result_of(&id, b"{}").unwrap())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_in_this_process_can_close_the_stream_of_its_call() {
    let (calls, mut called) = mpsc::channel(1);
    let service = StreamableHttp::new(Closing(calls), Config::new().stream_control(true));
    let mut client = Client::new(&service);
    let session = client.post(&initialize("2025-11-25")).await.header("mcp-session-id");
    client.set("mcp-session-id", &session);

    let answer = client.post(&call("1")).await;
    let mut events = answer.events();
    let priming = events.next().await.unwrap();
    assert_eq!((priming.id.as_deref(), priming.retry), (Some(&b"c1-0"[..]), Some(1000)));
    assert!(priming.data.is_empty());
    assert!(events.next().await.is_none(), "closed without an answer");
    drop(events);

    let answer = called.recv().await.unwrap();
    let mut standing = client.get().await.events();
    let mut events = client.with("last-event-id", "c1-0").get().await.events();
    assert!(events.is_silent().await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    answer.send(()).unwrap();
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(events.next().await.is_none());
    assert!(standing.data().await.is_empty());
    assert!(standing.is_silent().await, "no collision with the standing stream");
}

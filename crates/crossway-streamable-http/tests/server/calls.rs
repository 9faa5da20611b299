//! Calls in a session: JSON or a stream, by what comes first.

use std::time::Duration;

use crossway_streamable_http::server::Config;
use http::StatusCode;
use http_body::Body as _;
use tokio::time::Instant;

use crate::support::{Client, call, progress, scripted, settle};

#[tokio::test]
async fn a_call_whose_first_message_is_the_response_is_answered_as_json() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call(r#""\u0061""#);
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.answer(&id, r#"{ "content" : [1.50] }"#);
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.headers.contains_key("mcp-session-id"));
    let len = answer.body.size_hint().exact();
    let text = answer.text().await;
    assert_eq!(text, r#"{"jsonrpc":"2.0","id":"\u0061","result":{ "content" : [1.50] }}"#);
    assert_eq!(len, Some(text.len() as u64));
}

#[tokio::test]
async fn a_large_answer_is_handed_over_in_the_slices_it_has() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let text = "lorem ".repeat(200_000);
    let request = call("1");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.answer(&id, &format!(r#"{{"text":"{text}"}}"#));
    });
    let json = answer.json().await;
    assert_eq!((json["id"].as_u64(), json["result"]["text"].as_str()), (Some(1), Some(text.as_str())));
}

#[tokio::test]
async fn an_interim_message_makes_the_response_a_stream_that_is_primed() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call("1");
    let (answer, id) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(&progress(1));
        id
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("x-accel-buffering"), "no");
    assert_eq!(answer.header("cache-control"), "no-cache, no-transform");
    let mut events = answer.events();
    let priming = events.next().await.unwrap();
    assert!(priming.data.is_empty());
    assert_eq!((priming.id.as_deref(), priming.retry), (Some(&b"c1-0"[..]), Some(1000)));
    let event = events.next().await.unwrap();
    assert_eq!((event.event.as_ref(), event.id.as_deref()), ("message", Some(&b"c1-1"[..])));
    assert_eq!(event.data, progress(1));
    server.answer(&id, "{}");
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn clients_of_earlier_revisions_get_no_event_with_empty_data() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-06-18").await;
    let request = call("1");
    let (answer, _) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(&progress(1));
        id
    });
    let event = answer.events().next().await.unwrap();
    assert_eq!(
        (event.data, event.id.as_deref(), event.retry),
        (progress(1).into(), Some(&b"c1-1"[..]), None)
    );
}

#[tokio::test(start_paused = true)]
async fn after_15_silent_seconds_the_response_is_a_stream_with_a_comment_each_15_seconds() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let start = Instant::now();
    let request = call("1");
    let (answer, id) = tokio::join!(client.post(&request), server.expect("tools/call"));
    assert_eq!(start.elapsed(), Duration::from_secs(15));
    let mut events = answer.events();
    assert!(events.next().await.unwrap().data.is_empty());
    for _ in 0..3 {
        let before = Instant::now();
        assert_eq!(events.bytes().await.unwrap(), ":\n\n");
        assert_eq!(before.elapsed(), Duration::from_secs(15));
    }
    server.answer(&id, "{}");
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_request_of_the_server_is_answered_by_a_post() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-06-18").await;
    let request = call("1");
    let (answer, id) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#);
        id
    });
    let mut events = answer.events();
    assert!(events.data().await.contains("sampling/createMessage"));
    let response = r#"{"jsonrpc":"2.0","id":"q","result":{"role":"assistant"}}"#;
    let (accepted, received) = tokio::join!(client.post(response), server.receive());
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(accepted.text().await, "");
    assert_eq!(received.unwrap().to_bytes(), response);
    server.answer(&id, "{}");
    assert_eq!(events.data().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
}

#[tokio::test]
async fn a_cancelled_calls_stream_ends() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call("7");
    let (answer, id) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(&progress(1));
        id
    });
    let mut events = answer.events();
    assert!(events.data().await.is_empty());
    assert_eq!(events.data().await, progress(1));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    let (accepted, cancelled) = tokio::join!(client.post(cancel), server.receive());
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(cancelled.unwrap().cancelled_id(), Some(id));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_call_that_is_cancelled_before_it_says_anything_ends_without_an_answer() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call("7");
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    let (answer, ()) = tokio::join!(client.post(&request), async {
        server.expect("tools/call").await;
        assert_eq!(client.post(cancel).await.status, StatusCode::ACCEPTED);
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.events().next().await.is_none());
}

#[tokio::test]
async fn calls_in_one_session_are_answered_each_on_its_own_response() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let (one, two) = (call("1"), call("2"));
    let (one, two, ()) = tokio::join!(client.post(&one), client.post(&two), async {
        let first = server.expect("tools/call").await;
        let second = server.expect("tools/call").await;
        server.answer(&second, r#"{"n":2}"#);
        server.answer(&first, r#"{"n":1}"#);
    });
    for (answer, n) in [(one, 1), (two, 2)] {
        let json = answer.json().await;
        assert_eq!((json["id"].as_u64(), json["result"]["n"].as_u64()), (Some(n), Some(n)));
    }
}

#[tokio::test]
async fn an_error_of_the_server_is_an_answer_like_any_other() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call("1");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#));
    });
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json().await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_call_goes_on_though_its_client_has_gone_away() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let request = call("1");
    let id = tokio::select! {
        _ = client.post(&request) => panic!("answered"),
        id = server.expect("tools/call") => id,
    };
    settle().await;
    // Nobody is there to be asked any more, and the server is told so rather than left waiting.
    server.send(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
    let refusal = server.receive().await.unwrap();
    assert_eq!(refusal.kind(), crossway_proto::Kind::Error);
    server.answer(&id, "{}");
    // What comes next is no cancellation, but the next call.
    let request = call("2");
    let (answer, ()) = tokio::join!(client.post(&request), async {
        let id = server.expect("tools/call").await;
        server.answer(&id, "{}");
    });
    assert_eq!(answer.json().await["id"], 2);
}

#[tokio::test]
async fn a_notification_is_accepted_once_it_was_handed_on() {
    let (service, mut connections) = scripted(Config::new());
    let (client, server) = Client::open(&service, &mut connections, "2025-11-25").await;
    let answer = client.post(r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"a":1}}"#).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(!answer.headers.contains_key("content-type"));
    assert_eq!(answer.text().await, "");
    assert!(server.receive().await.unwrap().is_method("notifications/x"));
}

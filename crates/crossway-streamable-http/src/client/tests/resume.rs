//! Streams that break before the answer, and are taken up again. Time is paused, so waits are exact.

use std::time::Duration;

use crossway_proto::Revision;
use crossway_service::{Outcome, Reason};
use tokio::time::Instant;

use super::peer::{Peer, ask, call, next, result, tool_call};
use crate::client::Options;

const LEGACY: Revision = Revision::V2025_11_25;

#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_resumed_after_the_time_that_the_server_asked_for() {
    let mut peer = Peer::in_memory(Options::default().header("X-Api-Key", "k").unwrap());
    let link = peer.session(LEGACY).await;
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
    let mut reply = call(&link, &tool_call(1));
    let client = async {
        assert_eq!(next(&mut reply).await, Some(Ok(progress.to_owned())));
        assert_eq!(next(&mut reply).await, Some(Ok(result(1))));
        assert_eq!(next(&mut reply).await, None);
    };
    tokio::join!(client, async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        exchange.open_stream().await;
        exchange.chunk("id: event-1\nretry: 500\ndata:\n\n").await;
        let closed = Instant::now();
        exchange.end_stream().await;

        let mut exchange = peer.expect("GET", "").await;
        assert_eq!(closed.elapsed(), Duration::from_millis(500));
        assert_eq!(exchange.header("last-event-id"), Some("event-1"));
        assert_eq!(exchange.header("accept"), Some("text/event-stream"));
        assert_eq!(exchange.header("mcp-session-id"), Some("s1"));
        assert_eq!(exchange.header("mcp-protocol-version"), Some("2025-11-25"));
        assert_eq!(exchange.header("x-api-key"), Some("k"));
        exchange.open_stream().await;
        exchange.chunk(&format!("id: event-2\ndata: {progress}\n\n")).await;
        let closed = Instant::now();
        // Breaks without a word, in the middle of an event.
        exchange.chunk("id: event-3\ndata: {\"json").await;
        drop(exchange.stream);

        let mut exchange = peer.expect("GET", "").await;
        assert_eq!(closed.elapsed(), Duration::from_millis(500), "the time holds until another is given");
        assert_eq!(exchange.header("last-event-id"), Some("event-2"));
        exchange.open_stream().await;
        exchange.event(&result(1)).await;
        exchange.end_stream().await;
    });
    assert!(peer.is_silent());
}

#[tokio::test(start_paused = true)]
async fn a_call_may_be_polled_for_as_long_as_events_come() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        for turn in 0..50 {
            exchange.open_stream().await;
            exchange.chunk(&format!("id: {turn}\nretry: 10\ndata:\n\n")).await;
            exchange.end_stream().await;
            exchange = peer.expect("GET", "").await;
            assert_eq!(exchange.header("last-event-id"), Some(turn.to_string().as_str()));
        }
        exchange.open_stream().await;
        exchange.event(&result(1)).await;
        exchange.end_stream().await;
    });
    assert_eq!(answer, Ok(result(1)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_gives_anything_is_given_up() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let (answer, gets) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        exchange.open_stream().await;
        exchange.chunk("id: 1\nretry: 10\ndata:\n\n").await;
        exchange.end_stream().await;
        let mut gets = 0;
        while gets < 5 {
            let exchange = peer.expect("GET", "").await;
            gets += 1;
            if gets % 2 == 0 {
                exchange.respond("503 Service Unavailable", "", "").await;
            } else {
                let mut exchange = exchange;
                exchange.open_stream().await;
                exchange.end_stream().await;
            }
        }
        gets
    });
    let error = answer.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(error.to_string().contains("the stream ended without the answer"), "{error}");
    assert_eq!(gets, 5);
    assert!(peer.is_silent());
}

#[tokio::test(start_paused = true)]
async fn events_of_no_call_do_not_keep_a_stream_going() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let (answer, gets) = tokio::join!(ask(&link, tool_call(1)), async {
        let mut exchange = peer.expect("POST", "tools/call").await;
        exchange.open_stream().await;
        exchange.chunk("id: 1\nretry: 0\ndata:\n\n").await;
        exchange.end_stream().await;
        let mut gets = 0;
        while gets < 5 {
            let asked = Instant::now();
            let mut exchange = peer.expect("GET", "").await;
            assert!(asked.elapsed() >= Duration::from_millis(100));
            gets += 1;
            exchange.open_stream().await;
            exchange
                .chunk(&format!(
                    "id: 2\ndata: {}\n\nid: 3\nevent: other\ndata: x\n\nid: 4\ndata: no\n\n",
                    result(99)
                ))
                .await;
            exchange.end_stream().await;
        }
        gets
    });
    assert!(answer.unwrap_err().to_string().contains("could not be resumed"));
    assert_eq!(gets, 5);
    assert!(peer.is_silent());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_resume_leaves_the_outcome_unknown() {
    for (status, is_lost) in
        [("405 Method Not Allowed", false), ("400 Bad Request", false), ("404 Not Found", true)]
    {
        let mut peer = Peer::in_memory(Options::default());
        let link = peer.session(LEGACY).await;
        let (answer, ()) = tokio::join!(ask(&link, tool_call(1)), async {
            let mut exchange = peer.expect("POST", "tools/call").await;
            exchange.open_stream().await;
            exchange.chunk("id: 1\ndata:\n\n").await;
            exchange.end_stream().await;
            peer.expect("GET", "").await.respond(status, "", "").await;
        });
        let error = answer.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(*error.reason() == Reason::SessionEnded, is_lost, "{status}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_reply_that_waits_to_resume_cancels_its_call() {
    let mut peer = Peer::in_memory(Options::default());
    let link = peer.session(LEGACY).await;
    let mut reply = call(&link, &tool_call(1));
    tokio::select! {
        item = next(&mut reply) => panic!("{item:?}"),
        () = async {
            let mut exchange = peer.expect("POST", "tools/call").await;
            exchange.open_stream().await;
            exchange.chunk("id: 1\nretry: 3600000\ndata:\n\n").await;
            exchange.end_stream().await;
            tokio::time::sleep(Duration::from_secs(60)).await;
        } => {}
    }
    drop(reply);
    peer.expect("POST", "notifications/cancelled").await.accept().await;
}
